import { openedContextOf } from '../../context.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { type InvariantFinding, invariants } from '../../core/invariants.ts'
import { checkInvariants, type InvariantReport } from '../../flows/ops/check-invariants.ts'
import type { Rindle } from '../../rindle.ts'
import type { Flag, Flags, Report } from './command.ts'
import { untilAborted } from './until-aborted.ts'

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
  options: AskedInvariants & { readonly say: (line: string) => void; readonly signal: AbortSignal },
): Promise<Report> => {
  const ctx = await Promise.race([openedContextOf(rindle), untilAborted(options.signal)])
  if (!ctx) return { ok: false, stopped: true, summary: 'Stopped: nothing was asked, as the database had not answered.', rows: [] }
  const report = await checkInvariants(ctx, options)
  return {
    ok: report.findings.length + report.unanswered.length === 0 && !report.isStopped,
    ...(report.isStopped ? { stopped: true } : {}),
    summary: summaryOf(report),
    rows: rowsOf(report),
    lines: linesOf(report),
  }
}

interface AskedInvariants {
  readonly bytes: number
  readonly quiet: boolean
}

/** What the flags ask for; null when it is not the invariants. @throws RindleError `argument_invalid`, also for what goes with `--invariants` alone. */
export const askedInvariants = (flags: Flags): AskedInvariants | null => {
  if (flags['invariants']) return { bytes: bytesOf(flags['bytes']), quiet: flags['at-rest'] === true }
  const lone = Object.keys(invariantFlags).find((name) => flags[name] !== undefined)
  if (lone) throw new RindleError('argument_invalid', { argument: `--${lone}`, problem: 'it goes with --invariants' })
  return null
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
  ...findings.map(({ invariant, entity, id, found, assetId, object }) => ({
    ...{ invariant, entity, id, found, assetId, store: object?.store ?? null, key: object?.key ?? null },
    cure: invariants[invariant].cure,
  })),
  ...unanswered.map(({ store, calls, isGivenUp, err }) => ({ unanswered: store, calls, givenUp: isGivenUp, error: errorOf(err) })),
]

/** The ids of one invariant stand together, below what it says and what to do. */
const linesOf = ({ findings, cut, unanswered, isStopped }: InvariantReport): string[] => [
  ...[...Map.groupBy(findings, ({ invariant }) => invariant)].flatMap(([name, broken]) => [
    `broken   ${name}: ${invariants[name].means}`,
    ...broken.flatMap(linesOfOne),
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

const linesOfOne = ({ entity, id, found, assetId, object }: InvariantFinding): string[] => [
  `         ${entity} ${id}${assetId === null || assetId === id ? '' : `, of asset ${assetId}`}: ${found}`,
  ...(object === null ? [] : [`           at ${object.key} in ${object.store}`]),
]

/** Only the library's own errors are known to hold no address and no secret. */
const errorOf = (err: unknown): { readonly code: string; readonly message: string } => {
  if (isRindleError(err)) return { code: err.code, message: err.message }
  return { code: 'internal_error', message: err instanceof Error ? err.name : typeof err }
}

const summaryOf = ({ asked, findings, looked, cut }: InvariantReport): string => {
  const { rows, objects, keys, bytes } = looked
  const count =
    cut.length > 0 ? `more than ${findings.length} findings` : findings.length === 1 ? 'one finding' : `${findings.length} findings`
  const others = Object.keys(invariants).filter((name) => !asked.some((one) => one === name))
  const not = others.length === 0 ? '' : `, not ${others.join(', ')}`
  return `${asked.length} of ${Object.keys(invariants).length} invariants asked${not}: ${rows} rows, ${objects} objects and ${keys} listed keys, ${bytes} bytes read back, ${count}.`
}
