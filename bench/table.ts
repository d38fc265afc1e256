import type { Bench } from './harness.ts'
import { images } from './images.ts'
import { lifecycle } from './lifecycle.ts'

/** Every benchmark; `npm run bench -- NAME` finds it here. */
export const benches: readonly Bench[] = [images, lifecycle]
