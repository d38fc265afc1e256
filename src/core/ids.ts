import { v7 } from 'uuid'

/** Where new row ids come from: UUIDv7, so that indexes grow at one end. Tests hand in a counter. */
export interface Ids {
  next(): string
}

export const timeOrderedIds: Ids = { next: () => v7() }
