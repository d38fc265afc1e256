import { setTimeout as wait } from 'node:timers/promises'
import type { RindleContext } from '../../context.ts'
import { type Check, type Diagnosis, diagnosisOf, type Finding, problem, type Saying } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import { silenceOf } from '../../core/silence.ts'
import type { JailReport } from '../../core/ports/jail.ts'
import { SqlError } from '../../database/sql-error.ts'
import { checks } from '../checks/checks.ts'
import type { Examined } from '../checks/examined.ts'

interface DoctorOptions {
  /** Hears what was found as soon as a check has ended. */
  readonly hear?: (findings: readonly Finding[]) => void
  /** Once it is aborted no check is waited for: what was found until then is the diagnosis. */
  readonly signal?: AbortSignal
  /** So long one check may take. Default: a minute. */
  readonly checkWithinMs?: number
}

/**
 * Looks at everything that has to be in order, and says of each thing how it is and what to do. Changes no row and no object. What could not
 * be looked at, for want of a database or of its schema, is left out: that want is a finding, and none is told twice.
 *
 * Never says a secret, an address or a key.
 */
export async function doctor(ctx: RindleContext, { hear, signal, checkWithinMs = 60_000 }: DoctorOptions = {}): Promise<Diagnosis> {
  const findings: Finding[] = []
  const broken = new Set<string>()
  let reported: Promise<JailReport> | undefined
  const examined: Examined = { ...ctx, report: () => (reported ??= ctx.jail.report()) }
  const aborted = untilAborted(signal)
  for (const check of checks) {
    if (check.needs && (broken.has('database') || broken.has(check.needs))) continue
    const said = await Promise.race([look(check, examined, broken), aborted, wait(checkWithinMs, tooLate(checkWithinMs), { ref: false })])
    if (said === null) break
    const isNew = ({ subject, found }: Saying): boolean => !findings.some((one) => one.subject === subject && one.found === found)
    const found = said.filter((one) => one.level === 'ok' || isNew(one)).map((one) => ({ check: check.name, ...one }))
    findings.push(...found)
    if (found.length > 0) hear?.(found)
    if (said.some(({ level }) => level === 'problem')) broken.add(check.name)
  }
  return diagnosisOf(findings)
}

const tooLate = (ms: number): readonly Saying[] => [
  problem(`This did not come to an end within ${ms / 1000} s.`, 'Look what hangs: a server or a disk that was stopped answers nothing.'),
]

const untilAborted = (signal: AbortSignal | undefined): Promise<null> =>
  new Promise((resolve) => {
    if (signal?.aborted) resolve(null)
    signal?.addEventListener('abort', () => resolve(null), { once: true })
  })

const look = async (check: Check<Examined>, examined: Examined, broken: ReadonlySet<string>): Promise<readonly Saying[]> => {
  try {
    return await check.look(examined)
  } catch (err) {
    return check.uses?.some((name) => broken.has(name)) ? [] : [failed(err)]
  }
}

const failed = (err: unknown): Saying => {
  if (err instanceof SqlError)
    return problem(
      `The database said no: ${err.message} (SQLSTATE ${err.code}).`,
      'Look who changed the schema `rindle` by hand, and bring it back from a backup; `rindle migrate --print` shows what it was.',
    )
  if (!isRindleError(err))
    return problem(
      `This could not be looked at (${err instanceof Error ? err.name : typeof err}).`,
      'Run it again with the log of the app at hand.',
    )
  switch (err.code) {
    case 'database_unavailable':
      return problem(
        `The database did not answer: ${silenceOf(err) ?? 'why is not known'}.`,
        'Look whether it runs, whether this machine may reach it, and whether its address is the one that createRindle({ database }) was given.',
      )
    case 'database_refused':
      return problem(
        `The database refused: ${err.details.reason}.`,
        'Correct what createRindle({ database }) was given; or give that role its rights, as the owner: `rindle migrate --grant-to ROLE`.',
      )
    case 'statement_cancelled':
      return problem(
        `The database ended a statement before it was through: ${err.details.reason}.`,
        'Give the role more time: `alter role … set statement_timeout = 0`, and lock_timeout likewise; and look what else keeps the server busy.',
      )
    default:
      return problem(err.message, err.retryable ? 'Look again in a moment; if it stays so, see to this first.' : 'Do so, and look again.')
  }
}
