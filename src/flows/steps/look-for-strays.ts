import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import type { Inquiry } from '../../core/invariants.ts'
import { objectIdOfKey, ownRoles } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { reconcileEverySeconds, strayAfterSeconds } from '../../core/schedule.ts'
import { listKnownKeys, listOpenUploads, type NamedUpload } from '../../database/queries/drift.ts'
import { listStatesOfKeys } from '../../database/queries/invariants-of-storage.ts'
import { SqlError } from '../../database/sql-error.ts'
import { pagesOf } from '../../files/pages-of.ts'

type Context = Pick<RindleContext, 'db' | 'stores' | 'clock'>
type Store = ReturnType<Context['stores']['at']>

const pageSize = 1_000

/**
 * Lists every store and looks for a row of each object of the library. In this order nothing that is being born or deleted is reported: a key
 * that was listed had its row before, and where the row has gone since, the object went before it, which a last look at the key tells.
 */
export async function lookForStrays(ctx: Context, inquiry: Inquiry, options: { readonly quiet: boolean }): Promise<void> {
  for (const store of ctx.stores.all()) {
    const attempt = async (run: () => Promise<void>): Promise<void> => {
      if (inquiry.isGivenUp(store.id)) return
      try {
        await run()
        inquiry.hears(store.id)
      } catch (err) {
        if (inquiry.signal?.aborted || isOfDatabase(err)) throw err
        inquiry.leaveOut(store.id, err)
      }
    }
    for (const role of ownRoles) {
      await attempt(() => lookAtObjects(ctx, inquiry, { store, prefix: `${role}/`, quiet: options.quiet }))
      if (store.supports('multipart_upload')) await attempt(() => lookAtUploads(ctx, inquiry, { store, prefix: `${role}/` }))
    }
  }
}

interface Place {
  readonly store: Store
  readonly prefix: string
}

const lookAtObjects = async (
  ctx: Context,
  inquiry: Inquiry,
  { store, prefix, quiet }: Place & { readonly quiet: boolean },
): Promise<void> => {
  for await (const page of pagesOf(store.list(prefix, callOptions(inquiry)), pageSize)) {
    const own = page.flatMap(({ key }) => {
      const id = objectIdOfKey(key)
      return id === null ? [] : [{ key, id }]
    })
    inquiry.looked('keys', own.length)
    const states = await listStatesOfKeys(ctx.db.pool, { store: store.id, keys: own.map(({ key }) => key) })
    for (const { key, id } of own) {
      const state = states.get(key)
      if (state === undefined && inquiry.room('known') > 0 && (await store.head(key, callOptions(inquiry))))
        inquiry.breach({
          invariant: 'known',
          entity: 'object',
          id,
          found: 'it is in storage and has no row',
          object: { store: store.id, key },
        })
      if (quiet && state !== undefined && state !== 'present')
        inquiry.breach({ invariant: 'quiet', entity: 'object', id, found: `it is in storage and ${state}` })
    }
  }
}

const lookAtUploads = async (ctx: Context, inquiry: Inquiry, { store, prefix }: Place): Promise<void> => {
  const before = secondsAfter(ctx.clock.now(), -(strayAfterSeconds + reconcileEverySeconds))
  for await (const page of pagesOf(store.multipart.list(prefix, callOptions(inquiry)), pageSize)) {
    const old: NamedUpload[] = page.filter(({ key, startedAt }) => objectIdOfKey(key) !== null && startedAt < before)
    const open = await listOpenUploads(ctx.db.pool, { store: store.id, uploads: old })
    const known = await listKnownKeys(ctx.db.pool, { store: store.id, keys: old.map(({ key }) => key) })
    for (const { key, uploadId } of old) {
      if (open.has(uploadId)) continue
      const found = `an upload in parts to it was begun two days ago and no session awaits it${known.has(key) ? '' : '; it has no row'}`
      inquiry.breach({
        invariant: 'uploads-known',
        entity: 'object',
        id: objectIdOfKey(key) ?? '',
        found,
        object: { store: store.id, key },
      })
    }
  }
}

const callOptions = ({ signal }: Inquiry): { readonly signal?: AbortSignal } => (signal ? { signal } : {})

const isOfDatabase = (err: unknown): boolean =>
  err instanceof SqlError || (isRindleError(err) && /^(database_|statement_|rindle_closed)/.test(err.code))
