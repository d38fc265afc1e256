import type { FileUnderGate } from './file-under-gate.ts'

/** `clean` lets the file go on; a finding holds it back, under the name that the scanner has for it. */
export type ScanResult = { readonly clean: true } | { readonly clean: false; readonly threat: string }

/**
 * Looks for what must not be served. The app's own code: it runs in the worker, outside the jail, over the very bytes that would be served.
 * It fails closed: a scanner that throws or does not answer in time holds the file back until it does; it never lets it pass. A
 * `scan_limit_exceeded` that it throws is a verdict: the file is larger than it can ever look through.
 */
export interface Scanner {
  /** Said in verdicts, logs and by doctor: `clamav`. Letters, digits, - and _. */
  readonly name: string
  /** How long a scan may take. Default 120. */
  readonly timeoutSeconds?: number
  scan(file: FileUnderGate): Promise<ScanResult>
  /** Says whether the scanner answers, for doctor: one sentence, such as its version. Throws when it does not. */
  check?(options: { readonly signal: AbortSignal }): Promise<string>
}
