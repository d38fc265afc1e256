import type { RindleContext } from '../../context.ts'
import { type Diagnosis, diagnosisOf, type Finding, problem, type Saying } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import type { JailReport } from '../../core/ports/jail.ts'
import { checks } from '../checks/checks.ts'

/**
 * Looks at everything that has to be in order, and says of each thing how it is and what to do. Changes no row and no object. What could not
 * be looked at, for want of a database or of its schema, is left out: that want is a finding.
 *
 * Never says a secret, an address or a key.
 */
export async function doctor(ctx: RindleContext): Promise<Diagnosis> {
  const findings: Finding[] = []
  const broken = new Set<string>()
  let reported: Promise<JailReport> | undefined
  const examined = { ...ctx, report: () => (reported ??= ctx.jail.report()) }
  for (const check of checks) {
    if (check.needs && (broken.has('database') || broken.has(check.needs))) continue
    const said = await check
      .look(examined)
      .catch((err: unknown): readonly Saying[] => (check.uses?.some((name) => broken.has(name)) ? [] : [failed(err)]))
    findings.push(...said.map((one) => ({ check: check.name, ...one })))
    if (said.some(({ level }) => level === 'problem')) broken.add(check.name)
  }
  return diagnosisOf(findings)
}

const failed = (err: unknown): Saying =>
  isRindleError(err)
    ? problem(
        err.message,
        err.retryable ? 'Look again in a moment; if it stays so, this is what to see to first.' : 'Do what the sentence says.',
      )
    : problem(
        `This could not be looked at (${err instanceof Error ? err.name : typeof err}).`,
        'Run it again with the log of the app at hand.',
      )
