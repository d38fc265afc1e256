import { isRindleError } from '../../core/errors.ts'

/** Exit codes, as sysexits(3) has them where it has one. */
export const exitCodes = {
  ok: 0,
  /** The command came to an end and found something wrong. */
  notOk: 1,
  usage: 64,
  /** What was asked for cannot be had: what the http door answers with a status below 500. */
  refused: 65,
  /** Something this library did not expect. */
  internal: 70,
  /** The same command may succeed later. */
  retryable: 75,
  /** Configuration, schema or installation: what the http door answers with 500. */
  configuration: 78,
} as const

export const exitCodeOfReport = ({ ok, stopped = false }: { readonly ok: boolean; readonly stopped?: boolean }): number => {
  if (stopped) return exitCodes.retryable
  return ok ? exitCodes.ok : exitCodes.notOk
}

export const exitCodeOf = (err: unknown): number => {
  if (!isRindleError(err)) return exitCodes.internal
  if (err.retryable) return exitCodes.retryable
  return err.status < 500 ? exitCodes.refused : exitCodes.configuration
}
