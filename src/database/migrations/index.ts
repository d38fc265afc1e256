import { spine } from './0001-spine.ts'
import { alive } from './0002-alive.ts'
import { encoded } from './0003-encoded.ts'
import { played } from './0004-played.ts'

interface Migration {
  readonly number: number
  readonly name: string
  readonly sql: string
}

/** Forward only, in this order. A migration that has landed is never edited. */
export const migrations: readonly Migration[] = [
  { number: 1, name: 'spine', sql: spine },
  { number: 2, name: 'alive', sql: alive },
  { number: 3, name: 'encoded', sql: encoded },
  { number: 4, name: 'played', sql: played },
]

export const latestVersion: number = Math.max(...migrations.map(({ number }) => number))
