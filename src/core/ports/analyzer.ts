import type { FileUnderGate } from './file-under-gate.ts'

/**
 * Finds out what the library does not: faces, text, a camera's lens. The app's own code: it runs in the worker, outside the jail, over the
 * very bytes that would be served. What it returns is cleaned, bounded and kept as `metadata.analysis`; what it throws is a fault, and the
 * file is looked at again later.
 */
export interface Analyzer {
  /** Said in logs and by doctor. Letters, digits, - and _. */
  readonly name: string
  /** How long it may take. Default 120. */
  readonly timeoutSeconds?: number
  /** An object that survives JSON; at most 16 KiB of it are kept, or it is a fault. */
  analyze(file: FileUnderGate): Promise<Readonly<Record<string, unknown>>>
}
