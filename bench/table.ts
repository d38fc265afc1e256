import type { Bench } from './harness.ts'
import { images } from './images.ts'
import { jail } from './jail.ts'
import { lifecycle } from './lifecycle.ts'
import { signing } from './signing.ts'
import { testkit } from './testkit.ts'

/** Every benchmark; `npm run bench -- NAME` finds it here. */
export const benches: readonly Bench[] = [images, jail, lifecycle, signing, testkit]
