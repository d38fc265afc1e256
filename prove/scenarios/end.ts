import { createHash } from 'node:crypto'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { checkInvariants } from '../../src/flows/ops/check-invariants.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import { type Stage, told } from './stage.ts'

/**
 * Holds the bucket itself against the rows when nothing is owed any more: every key has its row, every object that is there its bytes, and
 * nobody waits.
 */
export const judgeLedger = ({ database, bucket }: Stage, breach: (text: string) => void): Promise<void> =>
  holdAgainstRows({ database, adapter: bucket().adapter }, breach)

/** The same of any database and store. */
export const holdAgainstRows = async (
  { database, adapter }: { readonly database: Pick<EngineDatabase, 'query'>; readonly adapter: StorageAdapter },
  breach: (text: string) => void,
): Promise<void> => {
  const rows = await database.query(
    `select key, state, byte_size::int as "byteSize", encode(sha256, 'hex') as sha256, role from rindle.media_objects order by key`,
  )
  const byKey = new Map(rows.map((row) => [String(row['key']), row]))
  const found = new Set<string>()
  for await (const { key } of adapter.list('')) {
    found.add(key)
    if (!byKey.has(key) && !key.startsWith('unmanaged/strange')) breach(`${key} is stored and no row knows it`)
  }
  for (const [key, { state, byteSize, sha256 }] of byKey) {
    if (state !== 'present') breach(`${key} is ${String(state)} when nothing is owed any more`)
    const body = found.has(key) ? await adapter.read(key) : null
    const bytes = body && new Uint8Array(await new Response(body.body).arrayBuffer())
    if (!bytes) breach(`${key} is on record and not stored`)
    else if (bytes.byteLength !== byteSize) breach(`${key} has ${bytes.byteLength} bytes, and ${String(byteSize)} on its row`)
    else if (sha256 !== null && createHash('sha256').update(bytes).digest('hex') !== sha256)
      breach(`${key} has other bytes than its row says`)
  }
}

/** Asks every invariant, when storage has been held against the rows as well: only so is found what was begun there and never heard of. */
export const judgeInvariants = async ({ ctx, bucket }: Stage, breach: (text: string) => void): Promise<void> => {
  const { findings, unanswered } = await checkInvariants(ctx, { quiet: true, bytes: Infinity })
  for (const { invariant, entity, id, found } of findings) breach(`${invariant}: ${entity} ${id}: ${found}`)
  for (const { err } of unanswered) breach(`storage did not answer: ${told(err)}`)
  for await (const { key } of bucket().adapter.multipart?.list('') ?? []) breach(`an upload in parts to ${key} was left open`)
}
