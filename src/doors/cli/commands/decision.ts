import { RindleError } from '../../../core/errors.ts'
import type { Flag, Flags } from '../command.ts'

/** Who decides something about a file, and why, as it stays on record. */
interface Decision {
  readonly reason: string
  readonly actor: string
}

export const decisionFlags = (what: string): Readonly<Record<keyof Decision, Flag>> => ({
  reason: { help: `Why ${what}. Required.`, value: 'TEXT' },
  actor: { help: 'Who decides it. Required.', value: 'NAME' },
})

/** @throws RindleError `argument_invalid` where one of the two is not there, or says nothing. */
export const decisionIn = (flags: Flags): Decision => ({ reason: required(flags, 'reason'), actor: required(flags, 'actor') })

const required = (flags: Flags, name: keyof Decision): string => {
  const given = flags[name]
  if (typeof given === 'string' && given.trim() !== '') return given
  throw new RindleError('argument_invalid', { argument: `--${name}`, problem: 'it is required: it stays on record with the file' })
}
