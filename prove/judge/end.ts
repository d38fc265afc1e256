import { createHash } from 'node:crypto'
import type { RindleContext } from '../../src/context.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { checkInvariants, type InvariantOptions } from '../../src/flows/ops/check-invariants.ts'
import type { Query, WitnessOptions } from './witness-options.ts'
import { told } from '../told.ts'

/** What is left of an app when all is quiet. */
export interface Remains extends WitnessOptions {
  /** Every store of the app, without anything that fails before it. */
  readonly stores: readonly StorageAdapter[]
}

/** Where strangers put things in proofs; nobody of ours knows those. */
const strangers = 'unmanaged/strange'

/**
 * Holds storage against the rows when nothing is owed any more: every key has its row, every row its object with its very bytes, and no upload
 * in parts is open.
 */
export const judgeStores = async ({ query, stores, breach }: Remains): Promise<void> => {
  for (const store of stores) await judgeStore(query, store, breach)
}

/** Asks every invariant once storage was held against the rows: only then uploads in parts are gone that nobody heard of. */
export const judgeQuiet = async (ctx: RindleContext, { stores, breach }: Remains): Promise<void> => {
  await judgeInvariants(ctx, breach, { quiet: true, bytes: Infinity })
  for (const { multipart } of stores)
    for await (const { key } of multipart?.list('') ?? []) breach(`an upload in parts to ${key} was left open`)
}

export const judgeInvariants = async (ctx: RindleContext, breach: (text: string) => void, options: InvariantOptions): Promise<void> => {
  const { findings, cut, unanswered } = await checkInvariants(ctx, options)
  for (const { invariant, entity, id, found } of findings) breach(`${invariant}: ${entity} ${id}: ${found}`)
  for (const { err } of unanswered) breach(`storage did not answer: ${told(err)}`)
  if (cut.length > 0) breach(`there is more against ${cut.join(', ')}`)
}

const judgeStore = async (query: Query, store: StorageAdapter, breach: (text: string) => void): Promise<void> => {
  const rows = await query(rowsText, [store.id])
  const known = new Set(rows.map(({ key }) => String(key)))
  const found = new Set<string>()
  for await (const { key } of store.list('')) {
    found.add(key)
    if (!known.has(key) && !key.startsWith(strangers)) breach(`${key} is stored and no row knows it`)
  }
  for (const row of rows) {
    const key = String(row['key'])
    if (row['state'] !== 'present') breach(`${key} is ${String(row['state'])} when nothing is owed any more`)
    const body = found.has(key) ? await store.read(key) : null
    const bytes = body && new Uint8Array(await new Response(body.body).arrayBuffer())
    if (!bytes) breach(`${key} is on record and not stored`)
    else if (bytes.byteLength !== Number(row['bytes']))
      breach(`${key} has ${bytes.byteLength} bytes, and ${String(row['bytes'])} on its row`)
    else if (row['sha256'] !== null && createHash('sha256').update(bytes).digest('hex') !== row['sha256'])
      breach(`${key} has other bytes than its row says`)
  }
}

const rowsText = `
  select key, state, byte_size as bytes, encode(sha256, 'hex') as sha256 from rindle.media_objects where store = $1 order by key`
