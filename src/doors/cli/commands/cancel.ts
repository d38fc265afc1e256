import type { Command } from '../command.ts'
import { decisionFlags, decisionIn } from './decision.ts'

export const cancel: Command = {
  name: 'cancel',
  summary: 'Stop making variants of a file, wherever a worker makes them; the file and what is ready are served as before.',
  effect: 'changes',
  argument: { name: 'ASSET', help: 'Its id.' },
  whenRefused: '`rindle doctor` says what variants wait for.',
  flags: decisionFlags('they are not to be made'),
  async run({ flags, argument, app }) {
    const decision = decisionIn(flags)
    const rindle = await app()
    const names = await rindle.cancelProcessing(argument, decision)
    return { ok: true, summary: `Stopped: ${names.join(', ')}. \`rindle requeue ${argument}\` has them made after all.`, rows: [] }
  },
}
