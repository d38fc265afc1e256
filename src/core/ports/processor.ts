import type { Recipe } from '../recipe.ts'
import type { FileUnderGate } from './file-under-gate.ts'

/**
 * Makes a profile's variants in place of the library: a watermark, a cut-out, a rendering. The app's own code: it runs in the worker,
 * outside the jail, over the bytes that passed the gate. What it wrote is looked at in the jail before it is stored: its type, size and
 * dimensions on the row are measured, not believed.
 */
export interface Processor {
  /** Said in logs and by doctor. Letters, digits, - and _. */
  readonly name: string
  /** How long one variant may take. Default 120. */
  readonly timeoutSeconds?: number
  /**
   * Writes one variant to `destination`, a path that does not exist yet. Throwing `variant_failed` fails that variant for good, with the
   * asset degraded; anything else thrown is a fault, and it is made again later.
   */
  process(job: {
    readonly file: FileUnderGate
    readonly variant: string
    readonly recipe: Recipe
    readonly destination: string
    readonly signal: AbortSignal
  }): Promise<void>
}
