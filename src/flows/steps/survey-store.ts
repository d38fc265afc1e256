import type { RindleContext } from '../../context.ts'
import { isRindleError } from '../../core/errors.ts'
import { objectIdOfKey, ownRoles, problemOfKey } from '../../core/object-key.ts'
import type { CallOptions } from '../../core/ports/storage.ts'
import { strayLimit } from '../../core/schedule.ts'
import { listForgottenObjects, listKnownKeys, listOpenUploads, type NamedUpload } from '../../database/queries/drift.ts'
import { pagesOf } from '../../files/pages-of.ts'

type Context = Pick<RindleContext, 'db' | 'stores'>
export type Store = ReturnType<Context['stores']['at']>

export interface Look extends CallOptions {
  /** What was begun later is none of our business yet. */
  readonly before: Date
  /** The same of uploads in parts below `unmanaged/`. */
  readonly unmanagedBefore: Date
}

/** What a store lists that no row answers for. */
export interface Survey {
  /** Objects with keys of the library's own making, and how many of them no row knows. */
  listed: number
  unknown: number
  /** Objects and uploads that are old enough, that no row knows, and that this database has not deleted before: somebody else's. */
  foreign: number
  /** Keys of some of those. */
  readonly examples: string[]
  /** Keys of objects that this database deleted before, and uploads in parts that nobody will complete: at most so many at a time. */
  readonly objects: string[]
  readonly uploads: NamedUpload[]
  /** Of such, how many were too much for one time. */
  over: number
  /** What could not be listed to its end, and why the first of them could not. */
  readonly unread: string[]
  failure: unknown
}

const exampleLimit = 10
const pageSize = 1_000

/**
 * Lists a whole store and tells what is ours to take away from what is not: only a key whose object this database's own history says it
 * deleted. What cannot be listed to its end is looked at as far as it can be.
 *
 * @throws RindleError `database_unavailable`, and the signal's reason.
 */
export async function surveyStore(ctx: Context, store: Store, look: Look): Promise<Survey> {
  const survey: Survey = {
    ...{ listed: 0, unknown: 0, foreign: 0, over: 0, failure: null },
    ...{ examples: [], objects: [], uploads: [], unread: [] },
  }
  const attempt = async (what: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run()
    } catch (err) {
      if (look.signal?.aborted || isDatabaseGone(err)) throw err
      survey.failure ??= err
      survey.unread.push(what)
    }
  }
  for (const role of ownRoles) await attempt(`${role}/`, () => surveyObjects(ctx, store, { role, look, survey }))
  if (!store.supports('multipart_upload')) return survey
  for (const role of ownRoles) await attempt(`uploads below ${role}/`, () => surveyUploads(ctx, store, { role, look, survey }))
  await attempt('uploads below unmanaged/', () => surveyUnmanagedUploads(store, { look, survey }))
  return survey
}

const isDatabaseGone = (err: unknown): boolean =>
  isRindleError(err) && (err.code === 'database_unavailable' || err.code === 'rindle_closed')

interface Surveying {
  readonly role: (typeof ownRoles)[number]
  readonly look: Look
  readonly survey: Survey
}

const surveyObjects = async (ctx: Context, store: Store, { role, look, survey }: Surveying): Promise<void> => {
  const strangers = async function* (): AsyncGenerator<{ readonly key: string }> {
    for await (const page of pagesOf(store.list(`${role}/`, look), pageSize)) {
      const own = page.filter(({ key }) => objectIdOfKey(key) !== null)
      const known = await listKnownKeys(ctx.db.pool, { store: store.id, keys: own.map(({ key }) => key) })
      const unknown = own.filter(({ key }) => !known.has(key))
      survey.listed += own.length
      survey.unknown += unknown.length
      yield* unknown.filter(({ modifiedAt }) => modifiedAt < look.before)
    }
  }
  await judge(ctx, { strangers: strangers(), survey, keep: ({ key }) => keepIn(survey, survey.objects, key) })
}

const surveyUploads = async (ctx: Context, store: Store, { role, look, survey }: Surveying): Promise<void> => {
  const strangers = async function* (): AsyncGenerator<NamedUpload> {
    for await (const page of pagesOf(store.multipart.list(`${role}/`, look), pageSize)) {
      const old = page.filter(({ key, startedAt }) => objectIdOfKey(key) !== null && startedAt < look.before)
      const open = await listOpenUploads(ctx.db.pool, { store: store.id, uploads: old })
      const abandoned = old.filter(({ uploadId }) => !open.has(uploadId))
      const known = await listKnownKeys(ctx.db.pool, { store: store.id, keys: abandoned.map(({ key }) => key) })
      for (const upload of abandoned) {
        if (known.has(upload.key)) keepIn(survey, survey.uploads, upload)
        else yield upload
      }
    }
  }
  await judge(ctx, { strangers: strangers(), survey, keep: (upload) => keepIn(survey, survey.uploads, upload) })
}

/** Keys there are the app's, and say nothing; but no database has an upload there that is still under way after so long. */
const surveyUnmanagedUploads = async (store: Store, { look, survey }: Omit<Surveying, 'role'>): Promise<void> => {
  for await (const upload of store.multipart.list('unmanaged/', look))
    if (upload.startedAt < look.unmanagedBefore && problemOfKey(upload.key) === null) keepIn(survey, survey.uploads, upload)
}

/** Asks the history for many at a time, since it reads all of it every time. */
const judge = async <T extends { readonly key: string }>(
  ctx: Context,
  { strangers, survey, keep }: { readonly strangers: AsyncIterable<T>; readonly survey: Survey; readonly keep: (one: T) => void },
): Promise<void> => {
  for await (const some of pagesOf(strangers, strayLimit)) {
    const idsOf = some.map(({ key }) => objectIdOfKey(key) ?? '')
    const forgotten = await listForgottenObjects(ctx.db.pool, idsOf)
    for (const [index, one] of some.entries()) {
      if (forgotten.has(idsOf[index] ?? '')) {
        keep(one)
        continue
      }
      survey.foreign += 1
      if (survey.examples.length < exampleLimit) survey.examples.push(one.key)
    }
  }
}

const keepIn = <T>(survey: Survey, list: T[], one: T): void => {
  if (list.length < strayLimit) list.push(one)
  else survey.over += 1
}
