import { openedContextOf } from '../../context.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { invariants } from '../../core/invariants.ts'
import { checkInvariants, type InvariantReport } from '../../flows/ops/check-invariants.ts'
import type { Rindle } from '../../rindle.ts'
import type { Flag, Flags, Report } from './command.ts'

/** What `rindle doctor --invariants` takes besides. */
export const invariantFlags: Readonly<Record<string, Flag>> = {
  invariants: {
    help: 'Instead, ask of every row and every object whether what must be so is so. Read-only; reads all rows and lists all stores.',
  },
  bytes: {
    help: 'With --invariants: read back that many objects, all, or none; every other is only asked for its length. Default 1000.',
    value: 'N',
  },
  'at-rest': { help: 'With --invariants: also say what is still owed, for a system that should have nothing to do.' },
}

/**
 * Asks every invariant and says what is broken, and what to do about it. Not ok while a store does not answer, nor when it was stopped, since
 * then not all is known; what was found until then is told.
 */
export const reportInvariants = async (
  rindle: Rindle,
  flags: Flags,
  options: { readonly say: (line: string) => void; readonly signal: AbortSignal },
): Promise<Report> => {
  const bytes = bytesOf(flags['bytes'])
  const report = await checkInvariants(await openedContextOf(rindle), { ...options, bytes, quiet: flags['at-rest'] === true })
  return {
    ok: report.findings.length + report.unanswered.length === 0 && !report.isStopped,
    ...(report.isStopped ? { stopped: true } : {}),
    summary: summaryOf(report),
    rows: rowsOf(report),
    lines: linesOf(report),
  }
}

/** @throws RindleError `argument_invalid` for what only says something together with `--invariants`. */
export const refuseWithoutInvariants = (flags: Flags): void => {
  const lone = Object.keys(invariantFlags).find((name) => name !== 'invariants' && flags[name] !== undefined)
  if (lone && !flags['invariants'])
    throw new RindleError('argument_invalid', { argument: `--${lone}`, problem: 'it goes with --invariants' })
}

const bytesOf = (given: Flags[string]): number => {
  if (given === undefined) return 1_000
  if (given === 'all') return Infinity
  if (given === 'none') return 0
  const count = Number(given)
  if (typeof given !== 'string' || !/^\d{1,15}$/.test(given))
    throw new RindleError('argument_invalid', { argument: '--bytes', problem: 'a whole number, all, or none' })
  return count
}

const rowsOf = ({ findings, unanswered }: InvariantReport): Report['rows'] => [
  ...findings.map((one) => ({ ...one, cure: invariants[one.invariant].cure })),
  ...unanswered.map(({ store, calls, isGivenUp, err }) => ({ unanswered: store, calls, givenUp: isGivenUp, error: errorOf(err) })),
]

/** The ids of one invariant stand together, below what it says and what to do. */
const linesOf = ({ findings, cut, unanswered, isStopped }: InvariantReport): string[] => [
  ...[...Map.groupBy(findings, ({ invariant }) => invariant)].flatMap(([name, broken]) => [
    `broken   ${name}: ${invariants[name].means}`,
    ...broken.map(({ entity, id, found }) => `         ${entity} ${id}: ${found}`),
    ...(cut.includes(name) ? ['         and more'] : []),
    `         ${invariants[name].cure}`,
  ]),
  ...unanswered.flatMap(({ store, calls, isGivenUp, err }) => [
    `problem  The store ${store} did not answer ${calls} time${calls === 1 ? '' : 's'}, so that not all is known; see \`rindle doctor\`.`,
    `         First: ${Object.values(errorOf(err)).join(': ')}`,
    ...(isGivenUp ? ['         It failed so often in a row that it was asked no more.'] : []),
  ]),
  ...(isStopped ? ['Stopped: not all was asked.'] : []),
]

/** Only the library's own errors are known to hold no address and no secret. */
const errorOf = (err: unknown): { readonly code: string; readonly message: string } => {
  if (isRindleError(err)) return { code: err.code, message: err.message }
  return { code: 'internal_error', message: err instanceof Error ? err.name : typeof err }
}

const summaryOf = ({ findings, looked, cut }: InvariantReport): string => {
  const { rows, objects, keys, bytes } = looked
  const count =
    cut.length > 0 ? `more than ${findings.length} findings` : findings.length === 1 ? 'one finding' : `${findings.length} findings`
  return `${Object.keys(invariants).length} invariants asked of ${rows} rows, ${objects} objects and ${keys} listed keys, ${bytes} bytes read back: ${count}.`
}
