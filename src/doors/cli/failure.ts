import { isRindleError } from '../../core/errors.ts'
import { SqlError } from '../../database/sql-error.ts'
import type { Command } from './command.ts'
import { exitCodeOf, exitCodes } from './exit-code.ts'

/** What people read: the sentence, what lies behind it in its own words, and the command that leads on. */
export const messageOf = (command: Command, problem: unknown): string => {
  const sentence = sentenceOf(problem)
  const reasons = isRindleError(problem) ? reasonsOf(problem.cause, sentence) : []
  const next = nextOf(command, problem)
  return [sentence, ...reasons.map((reason) => `  because: ${reason}`), ...(next === null ? [] : [`  ${next}`])].join('\n')
}

/** The same for programs. */
export const errorOf = (command: Command, problem: unknown): object => ({
  ...(isRindleError(problem) ? problem.toJSON() : { code: 'internal_error', message: sentenceOf(problem), details: {}, retryable: false }),
  next: nextOf(command, problem),
})

export const seeHelp = ({ name }: Pick<Command, 'name'>): string => `See \`rindle ${name} --help\`.`

const sentenceOf = (problem: unknown): string => {
  if (isRindleError(problem)) return problem.message
  if (problem instanceof SqlError) return `The database said no: ${problem.message} (SQLSTATE ${problem.code}).`
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)
}

/** The nearest first, each once: what a database or a file system said. */
const reasonsOf = (cause: unknown, said: string): string[] => {
  if (!(cause instanceof Error)) return []
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : cause.cause
  const isNew = cause.message !== '' && !said.includes(cause.message)
  return [...(isNew ? [cause.message] : []), ...reasonsOf(inner, `${said}\n${cause.message}`)]
}

/** Null where the sentence says itself what to run. */
const nextOf = (command: Command, problem: unknown): string | null => {
  const code = exitCodeOf(problem)
  if (code === exitCodes.usage) return seeHelp(command)
  if (isRindleError(problem) && /`rindle |--app|npm install/.test(problem.message)) return null
  if (code === exitCodes.refused && command.whenRefused !== undefined) return command.whenRefused
  if (isRindleError(problem) && /^(app_|options_|profile_)/.test(problem.code))
    return `Correct it, then run \`rindle ${command.name}\` again.`
  return command.name === 'doctor'
    ? 'Correct this, then run `rindle doctor` again.'
    : '`rindle doctor` looks at database, storage and machine, and says what to do.'
}
