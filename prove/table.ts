import type { Proof } from './harness.ts'

/** Every proof; `npm run prove -- NAME` finds it here. */
export const proofs: readonly Proof[] = []
