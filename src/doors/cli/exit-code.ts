import { isRindleError } from '../../core/errors.ts'

/** Exit codes, as sysexits(3) has them where it has one. */
export const exitCodes = {
  ok: 0,
  notOk: 1,
  usage: 64,
  refused: 65,
  internal: 70,
  retryable: 75,
  configuration: 78,
} as const

/** What each says, for the help and the page of commands. */
export const exitCodeMeanings: readonly (readonly [code: number, means: string])[] = [
  [exitCodes.ok, 'It was done.'],
  [exitCodes.notOk, 'It came to its end and found something wrong.'],
  [exitCodes.usage, 'The command line is not one of these, or a flag was given what it does not take.'],
  [exitCodes.refused, 'What was asked for cannot be had: an error with a status below 500.'],
  [exitCodes.internal, 'Something this library did not expect.'],
  [exitCodes.retryable, 'A retryable error, or it was stopped before it was through: the same command may succeed later.'],
  [exitCodes.configuration, 'Configuration, schema or installation: an error with status 500.'],
]

export const exitCodeOfReport = ({ ok, stopped = false }: { readonly ok: boolean; readonly stopped?: boolean }): number => {
  if (stopped) return exitCodes.retryable
  return ok ? exitCodes.ok : exitCodes.notOk
}

export const exitCodeOf = (err: unknown): number => {
  if (!isRindleError(err)) return exitCodes.internal
  if (err.code === 'argument_invalid' && err.details.argument.startsWith('--')) return exitCodes.usage
  if (err.retryable) return exitCodes.retryable
  return err.status < 500 ? exitCodes.refused : exitCodes.configuration
}
