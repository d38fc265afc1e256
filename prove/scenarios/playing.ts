import type { Random } from '../harness.ts'

export interface Playing {
  readonly random: Random
  readonly label: string
  readonly undisturbed: boolean
  breach(text: string): void
  /** Every error that the app is thrown. */
  hear?(err: unknown): void
}
