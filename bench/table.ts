import type { Bench } from './harness.ts'
import { images } from './images.ts'

/** Every benchmark; `npm run bench -- NAME` finds it here. */
export const benches: readonly Bench[] = [images]
