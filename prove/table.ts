import type { Proof } from './harness.ts'
import { memory } from './memory.ts'
import { slots } from './slots.ts'

/** Every proof; `npm run prove -- NAME` finds it here. */
export const proofs: readonly Proof[] = [memory, slots]
