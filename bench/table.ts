import type { Bench } from './harness.ts'
import { conform } from './conform.ts'
import { images } from './images.ts'
import { jail } from './jail.ts'
import { lifecycle } from './lifecycle.ts'
import { posterFirst } from './poster.ts'
import { signing } from './signing.ts'
import { testkit } from './testkit.ts'
import { video720 } from './video.ts'

/** Every benchmark; `npm run bench -- NAME` finds it here. */
export const benches: readonly Bench[] = [conform, images, jail, lifecycle, posterFirst, signing, testkit, video720]
