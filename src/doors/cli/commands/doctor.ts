import type { Finding } from '../../../core/diagnosis.ts'
import { checks } from '../../../flows/checks/checks.ts'
import type { Command } from '../command.ts'
import { invariantFlags, refuseWithoutInvariants, reportInvariants } from '../invariants-report.ts'

export const doctor: Command = {
  name: 'doctor',
  summary:
    'Look at database, storage, decoders, scanners and files, and say what is wrong and what to do. Ends with 1 when there is a problem.',
  effect: 'reads',
  looksAt: checks,
  flags: { quiet: { help: 'Print warnings and problems only.' }, ...invariantFlags },
  async run({ flags, app, say, signal }) {
    refuseWithoutInvariants(flags)
    const rindle = await app()
    try {
      if (flags['invariants']) return await reportInvariants(rindle, flags, { say, signal })
      const { level, findings } = await rindle.doctor()
      const count = (wanted: Finding['level']): number => findings.filter((one) => one.level === wanted).length
      const summary = `${findings.length} looked at: ${count('problem')} problem${count('problem') === 1 ? '' : 's'}, ${count('warning')} warning${count('warning') === 1 ? '' : 's'}.`
      const shown = flags['quiet'] ? findings.filter((one) => one.level !== 'ok') : findings
      return { ok: level !== 'problem', summary, rows: shown.map((one) => ({ ...one })), lines: shown.flatMap(linesOf) }
    } finally {
      await rindle.close()
    }
  },
}

const linesOf = ({ check, level, subject, found, cure }: Finding): string[] => [
  `${level.padEnd(7)}  ${check}${subject === null ? '' : ` (${subject})`}: ${found}`,
  ...(cure === null ? [] : [`         ${cure}`]),
]
