import type { RindleContext } from '../../context.ts'
import { type Check, fine, problem, type Saying } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import { silenceOf } from '../../core/silence.ts'
import { listObjectsToLookFor, type LookedFor } from '../../database/queries/diagnosis.ts'
import { isStillPresent } from '../../database/queries/invariants-of-storage.ts'

type Store = ReturnType<RindleContext['stores']['all']>[number]

const headWithinMs = 15_000

/** Where the bytes are. */
export const checksOfStores: readonly Check<RindleContext>[] = [
  {
    name: 'stores',
    means: 'Each answers when it is asked for an object that is not there.',
    look: ({ stores, ids }) => Promise.all(stores.all().map((store) => lookAtStore(store, `unmanaged/rindle-doctor-${ids.next()}`))),
  },
  {
    name: 'objects',
    means: 'The newest and the oldest few objects of each store are there: one that answers may yet be another disk, bucket or account.',
    ...{ needs: 'schema', uses: ['rights'] },
    async look(ctx) {
      const known = Map.groupBy(await listObjectsToLookFor(ctx.db.pool), ({ store }) => store)
      return Promise.all(ctx.stores.all().map((store) => lookForObjectsOf(ctx, store, known.get(store.id) ?? [])))
    },
  },
]

const headOf = (store: Store, key: string) => store.head(key, { signal: AbortSignal.timeout(headWithinMs) })

const unanswered = (store: Store, err: unknown): Saying => {
  const why = silenceOf(err)
  const found = isRindleError(err) ? err.message : `It did not answer within ${headWithinMs / 1000} s.`
  const cure = 'Look whether its address, credentials, bucket and rights are those of docs/guides/storage.md.'
  return problem(why === null ? found : `${found} What is known: ${why}.`, cure, store.id)
}

const lookAtStore = async (store: Store, key: string): Promise<Saying> => {
  try {
    if (!(await headOf(store, key))) return fine('It answers.', store.id)
    return problem(
      'It says that there is an object where none was ever written.',
      'Look whether what answers at its address is an object store at all, or a page that answers everything.',
      store.id,
    )
  } catch (err) {
    return unanswered(store, err)
  }
}

const lookForObjectsOf = async (ctx: Pick<RindleContext, 'db'>, store: Store, known: readonly LookedFor[]): Promise<Saying> => {
  if (known.length === 0) return fine('No row names an object of it yet.', store.id)
  try {
    const missing: LookedFor[] = []
    for (const object of known) {
      const head = await headOf(store, object.key)
      const isThere = head !== null && (object.byteSize === null || head.sizeBytes === object.byteSize)
      if (!isThere && (await isStillPresent(ctx.db.pool, object.id))) missing.push(object)
    }
    return sayingOf(store, known, missing)
  } catch (err) {
    if (isRindleError(err) && err.code.startsWith('database_')) throw err
    return unanswered(store, err)
  }
}

const sayingOf = ({ id }: Store, known: readonly LookedFor[], missing: readonly LookedFor[]): Saying => {
  const [first] = missing
  if (!first)
    return fine(
      known.length === 1 ? 'The object that was looked for is there.' : `${known.length} objects were looked for and are there.`,
      id,
    )
  const { assetId, role, at } = first
  const which = `${assetId === null ? 'an object of the app’s own' : `the ${role} of asset ${assetId}`}, stored at ${at.toISOString()}`
  if (missing.length === known.length)
    return problem(
      `It answers and holds none of the ${known.length} objects that were looked for, whole; the newest is ${which}.`,
      'Look whether its disk is mounted, and whether folder, bucket, prefix, endpoint and account are those that the files were written to. Until then stop what uploads: new files would go to the wrong place. Then look again, and with `rindle doctor --invariants --bytes none`.',
      id,
    )
  return problem(
    `${missing.length} of the ${known.length} objects that were looked for ${missing.length === 1 ? 'is' : 'are'} not there, or not whole; the newest is ${which}.`,
    '`rindle doctor --invariants --bytes none` names every object that is missing, with its key and its asset. Look whether its disk was unmounted or its bucket changed for a while, and what else deletes from it.',
    id,
  )
}
