import { inspect } from 'node:util'

/** An error for people, with all that it hides. */
export const told = (err: unknown): string => inspect(err, { depth: 6 })
