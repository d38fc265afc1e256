import { contextOf } from '../../../context.ts'
import type { Finding } from '../../../core/diagnosis.ts'
import { checks } from '../../../flows/checks/checks.ts'
import { doctor as diagnose } from '../../../flows/ops/doctor.ts'
import type { Command } from '../command.ts'
import { askedInvariants, invariantFlags, reportInvariants } from '../invariants-report.ts'

export const doctor: Command = {
  name: 'doctor',
  summary:
    'Look at database, storage, decoders, scanners and files, and say what is wrong and what to do. Ends with 1 when there is a problem.',
  effect: 'reads',
  looksAt: checks,
  flags: { quiet: { help: 'Print warnings and problems only.' }, ...invariantFlags },
  async run({ flags, app, say, print, signal }) {
    const asked = askedInvariants(flags)
    const rindle = await app()
    if (asked) return reportInvariants(rindle, { ...asked, say, signal })
    const shows = ({ level }: Finding): boolean => level !== 'ok' || flags['quiet'] !== true
    const hear = (findings: readonly Finding[]): void => print(findings.filter(shows).flatMap(linesOf))
    const { level, findings } = await diagnose(contextOf(rindle), { hear, signal })
    const stopped = signal.aborted
    return {
      ok: level !== 'problem' && !stopped,
      ...(stopped ? { stopped } : {}),
      summary: `${findings.length} looked at${stopped ? ' when it was stopped, and not all' : ''}: ${counted(findings, 'problem')}, ${counted(findings, 'warning')}.`,
      rows: findings.filter(shows).map((one) => ({ ...one })),
      lines: [],
    }
  },
}

const counted = (findings: readonly Finding[], wanted: 'problem' | 'warning'): string => {
  const count = findings.filter(({ level }) => level === wanted).length
  return `${count} ${wanted}${count === 1 ? '' : 's'}`
}

const linesOf = ({ check, level, subject, found, cure }: Finding): string[] => [
  `${level.padEnd(7)}  ${check}${subject === null ? '' : ` (${subject})`}: ${found}`,
  ...(cure === null ? [] : [`         ${cure}`]),
]
