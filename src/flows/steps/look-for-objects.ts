import { randomInt } from 'node:crypto'
import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import type { Inquiry } from '../../core/invariants.ts'
import {
  countPresentObjects,
  isStillPresent,
  listPresentObjects,
  type PresentObject,
} from '../../database/queries/invariants-of-storage.ts'
import { hashBody } from '../../files/hash-file.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'clock'>

const pageSize = 500
const atOnce = 8

/**
 * Looks for every object that a row calls present: a HEAD of each, and of so many as `bytes` says, spread over all of them, the bytes
 * themselves. What goes meanwhile is not missed: a row is looked at again before anything is said of its object.
 */
export async function lookForObjects(ctx: Context, inquiry: Inquiry, options: { readonly bytes: number }): Promise<void> {
  const stride = options.bytes > 0 ? Math.max(1, Math.ceil((await countPresentObjects(ctx.db.pool)) / options.bytes)) : Infinity
  // Another part of them every time, whatever hour it is started at.
  let place = Number.isFinite(stride) ? randomInt(stride) : 1
  for (let after: string | null = null; ;) {
    inquiry.signal?.throwIfAborted()
    const page = await listPresentObjects(ctx.db.pool, { after, limit: pageSize })
    const waiting = page.map((object) => ({ object, isRead: place++ % stride === 0 && object.sha256 !== null })).reverse()
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next; next = waiting.pop()) await look(ctx, inquiry, next.object, next.isRead)
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    after = page.at(-1)?.id ?? null
    if (page.length < pageSize) return
  }
}

const look = async (ctx: Context, inquiry: Inquiry, object: PresentObject, isRead: boolean): Promise<void> => {
  const { signal } = inquiry
  signal?.throwIfAborted()
  if (inquiry.isGivenUp(object.store)) return
  const found = await askStorage(ctx, object, isRead, signal).catch((err: unknown) => {
    if (signal?.aborted || isDatabaseGone(err)) throw err
    inquiry.leaveOut(object.store, err)
    return null
  })
  if (!found) return
  inquiry.hears(object.store)
  inquiry.looked('objects')
  if (found.read) inquiry.looked('bytes', found.byteSize ?? 0)
  const breach = breachOf(object, found)
  if (breach && (await isStillPresent(ctx.db.pool, object.id)))
    inquiry.breach({ invariant: breach.invariant, entity: 'object', id: object.id, found: breach.found })
}

interface Found {
  /** Null: nothing is there. More than the row says, where the bytes were read: they were left there. */
  readonly byteSize: number | null
  /** Of the bytes, where they were read. */
  readonly sha256: string | null
  readonly read: boolean
}

const askStorage = async (ctx: Context, object: PresentObject, isRead: boolean, signal: AbortSignal | undefined): Promise<Found> => {
  const store = ctx.stores.at(object.store)
  const options = signal ? { signal } : {}
  if (!isRead) return { byteSize: (await store.head(object.key, options))?.sizeBytes ?? null, sha256: null, read: false }
  const body = await store.read(object.key, options)
  if (!body) return { byteSize: null, sha256: null, read: true }
  return { ...(await hashBody(body.body, { signal, atMost: object.byteSize ?? Infinity })), read: true }
}

/** What a client may still write to is not held to its length: the gate does that, on the bytes themselves. */
const breachOf = (object: PresentObject, found: Found): { readonly invariant: 'stored' | 'bytes'; readonly found: string } | null => {
  const what = `${object.role === 'original' ? 'an' : 'a'} ${object.role}`
  if (found.byteSize === null) return { invariant: 'stored', found: `${what} that is not in storage` }
  if (object.role !== 'staging' && object.byteSize !== null && object.byteSize !== found.byteSize) {
    const given = found.read && found.byteSize > object.byteSize ? 'gives more' : `has ${found.byteSize}`
    return { invariant: 'stored', found: `${what} of ${object.byteSize} bytes, of which storage ${given}` }
  }
  if (found.sha256 !== null && found.sha256 !== object.sha256)
    return { invariant: 'bytes', found: `${what} of which storage gives other bytes than were recorded` }
  return null
}

const isDatabaseGone = (err: unknown): boolean =>
  isRindleError(err) && (err.code === 'database_unavailable' || err.code === 'rindle_closed')
