import type { Command } from '../command.ts'
import { decisionFlags, decisionIn } from './decision.ts'

export const release: Command = {
  name: 'release',
  summary: 'Send a file that is held back to the gate once more, with who decided it and why on record. Broken files are not released.',
  effect: 'changes',
  argument: { name: 'ASSET', help: 'Its id, as `rindle quarantine` lists it.' },
  whenRefused: '`rindle quarantine` lists what is held back, why, and what may be let through.',
  flags: decisionFlags('the file may be let through'),
  async run({ flags, argument, app }) {
    const decision = decisionIn(flags)
    const rindle = await app()
    await rindle.releaseQuarantine(argument, decision)
    return { ok: true, summary: `Asset ${argument} is looked at once more; a worker takes it up.`, rows: [] }
  },
}
