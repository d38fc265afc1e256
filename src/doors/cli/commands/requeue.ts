import type { Command } from '../command.ts'
import { decisionFlags, decisionIn } from './decision.ts'

export const requeue: Command = {
  name: 'requeue',
  summary: 'Have variants of a file made again that failed or were cancelled, by what its profile says today.',
  effect: 'changes',
  argument: { name: 'ASSET', help: 'Its id.' },
  whenRefused: '`rindle doctor` says which variants could not be made, and why.',
  flags: {
    variants: { help: 'These, with commas between; those that are missing or of an older recipe as well.', value: 'NAMES' },
    ...decisionFlags('they are to be made again'),
  },
  async run({ flags, argument, app }) {
    const decision = decisionIn(flags)
    const { variants } = flags
    const chosen = typeof variants === 'string' ? { variants: variants.split(',').map((name) => name.trim()) } : {}
    const rindle = await app()
    const names = await rindle.requeueVariants(argument, { ...chosen, ...decision })
    const summary =
      names.length === 0 ? 'Nothing to make: it is there, or on its way.' : `To be made again: ${names.join(', ')}; a worker takes them up.`
    return { ok: true, summary, rows: [] }
  },
}
