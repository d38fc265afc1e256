import { RindleError } from '../../../core/errors.ts'
import type { Command, Flags } from '../command.ts'

export const release: Command = {
  name: 'release',
  summary: 'Send a file that is held back to the gate once more, with who decided it and why on record. Broken files are not released.',
  effect: 'changes',
  argument: { name: 'ASSET', help: 'Its id, as `rindle quarantine` lists it.' },
  whenRefused: '`rindle quarantine` lists what is held back, why, and what may be let through.',
  flags: {
    reason: { help: 'Why the file may be let through. Required.', value: 'TEXT' },
    actor: { help: 'Who decides it. Required.', value: 'NAME' },
  },
  async run({ flags, argument, app }) {
    const words = { reason: required(flags, 'reason'), actor: required(flags, 'actor') }
    const rindle = await app()
    await rindle.releaseQuarantine(argument, words)
    return { ok: true, summary: `Asset ${argument} is looked at once more; a worker takes it up.`, rows: [] }
  },
}

const required = (flags: Flags, name: 'reason' | 'actor'): string => {
  const given = flags[name]
  if (typeof given === 'string' && given.trim() !== '') return given
  throw new RindleError('argument_invalid', { argument: `--${name}`, problem: 'it is required: it stays on record with the file' })
}
