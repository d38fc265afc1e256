import { isRindleError } from './errors.ts'
import type { FileUnderGate } from './ports/file-under-gate.ts'

/** What became of a question to the app's own code: its answer, or why there is none. */
type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false
      /** For rows and messages: cleaned and short. */
      readonly problem: string
      /** For the log alone. */
      readonly cause: unknown
    }

/**
 * Asks the app's own code about a file, and waits no longer than it may take: `timeoutSeconds`, by default 120.
 *
 * @throws what the work's own signal was aborted with.
 */
export type AskAppCode = <T>(timeoutSeconds: number | undefined, ask: (file: FileUnderGate) => Promise<T>) => Promise<Answer<T>>

export const appCodeTimeoutSeconds = 120
/** So much of what an analyzer found out is kept. */
export const analysisLimitBytes = 16 * 1024

const textLimit = 200
/** Control characters, line ends, what turns the direction of text, and halves of surrogate pairs. */
const unspeakable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu

/** Foreign text, fit for one line of a message or a row. */
export const oneLine = (text: string): string => {
  const clean = text
    .slice(0, textLimit * 4)
    .replace(unspeakable, ' ')
    .trim()
  const characters = [...clean]
  return characters.length > textLimit ? `${characters.slice(0, textLimit - 1).join('')}…` : clean
}

/** What was thrown, in one line. */
export const problemOf = (thrown: unknown): string => {
  const said =
    isRindleError(thrown) && 'problem' in thrown.details ? thrown.details.problem : thrown instanceof Error ? thrown.message : thrown
  const line = typeof said === 'string' ? oneLine(said) : ''
  return line === '' ? 'it failed without a word' : line
}
