import type { Bench } from './harness.ts'

/** Every benchmark; `npm run bench -- NAME` finds it here. */
export const benches: readonly Bench[] = []
