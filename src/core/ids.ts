import { v7 } from 'uuid'

/** Where new row ids come from: UUIDv7, so that indexes grow at one end. Tests hand in a counter. */
export interface Ids {
  next(): string
}

export const timeOrderedIds: Ids = { next: () => v7() }

const form = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** False for what can name no row, so that nobody asks the database for it. */
export const isId = (text: unknown): text is string => typeof text === 'string' && form.test(text)
