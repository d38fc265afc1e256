import { createHash } from 'node:crypto'
import { objectIdOfKey, roleOfKey } from '../../src/core/object-key.ts'
import type { ObjectBody, StorageAdapter } from '../../src/core/ports/storage.ts'
import type { WitnessOptions } from './witness-options.ts'

interface Options extends WitnessOptions {
  readonly read: (key: string, sha256: string) => void
}

export interface StorageWitness {
  wrap(adapter: StorageAdapter): StorageAdapter
  /** `how` begins the sentence in which a breach is told. */
  landing(how: string, key: string): Promise<void>
  calls(): number
  forget(): void
}

/** Holds every call of storage that changes something against the rows, at its instant, and remembers what was read. */
export const createStorageWitness = ({ query, breach, read }: Options): StorageWitness => {
  const written = new Set<string>()
  let calls = 0

  const rowOf = async (key: string) => (await query(rowText, [key]))[0]
  const landing = async (how: string, key: string): Promise<void> => {
    if (objectIdOfKey(key) === null) return
    calls += 1
    if (!(await rowOf(key))) breach(`${how} ${key}, which has no row`)
  }
  /** Clients write to staging keys through us as well, as often as they like. */
  const writing = async (how: string, key: string): Promise<void> => {
    if (roleOfKey(key) === 'sealed' || roleOfKey(key) === 'variants') {
      if (written.has(key)) breach(`${how} ${key} a second time`)
      written.add(key)
    }
    await landing(how, key)
  }
  const deleting = async (key: string): Promise<void> => {
    const id = objectIdOfKey(key)
    if (id === null) return
    calls += 1
    const row = await rowOf(key)
    if (!row) {
      const [gone] = await query(
        `select 1 as gone from rindle.state_moves where entity = 'object' and entity_id = $1 and to_state = 'gone'`,
        [id],
      )
      if (!gone) breach(`deletes ${key}, which has no row and never had one`)
      return
    }
    if (row['state'] === 'reserved' || row['state'] === 'present') breach(`deletes ${key}, which is ${String(row['state'])}`)
    if (row['pointed']) breach(`deletes ${key}, at which ${String(row['pointed'])} points`)
  }
  const aborting = async (key: string, uploadId: string): Promise<void> => {
    if (objectIdOfKey(key) === null) return
    calls += 1
    const row = await rowOf(key)
    if (row?.['upload_id'] === uploadId && row['state'] === 'reserved') breach(`aborts the upload to ${key}, which an open session awaits`)
  }

  const wrap = (adapter: StorageAdapter): StorageAdapter => {
    const { multipart } = adapter
    return {
      ...adapter,
      async put(key, body, options) {
        await writing('puts', key)
        return adapter.put(key, body, options)
      },
      async copy(from, to, options) {
        await writing('copies to', to)
        return adapter.copy(from, to, options)
      },
      async delete(key, options) {
        await deleting(key)
        return adapter.delete(key, options)
      },
      async read(key, options) {
        const found = await adapter.read(key, options)
        return found && options?.range === undefined ? hashed(found, (sha256) => read(key, sha256)) : found
      },
      ...(multipart
        ? {
            multipart: {
              ...multipart,
              async create(key, options) {
                await landing('begins an upload to', key)
                return multipart.create(key, options)
              },
              async complete(key, uploadId, parts, options) {
                await landing('completes', key)
                return multipart.complete(key, uploadId, parts, options)
              },
              async abort(key, uploadId, options) {
                await aborting(key, uploadId)
                return multipart.abort(key, uploadId, options)
              },
            },
          }
        : {}),
    }
  }
  return {
    wrap,
    landing,
    calls: () => calls,
    forget() {
      written.clear()
      calls = 0
    },
  }
}

const rowText = `
  select o.state, o.upload_id,
         coalesce((select 'an asset that is ' || a.state from rindle.media_assets a where a.object_id = o.id limit 1),
                  (select 'a variant that is ' || v.state from rindle.media_variants v where v.object_id = o.id limit 1),
                  (select 'an upload that is ' || s.state from rindle.media_upload_sessions s where s.object_id = o.id limit 1)) as pointed
    from rindle.media_objects o
   where o.key = $1`

/** A body that was cut tells nothing. */
const hashed = (found: ObjectBody, tell: (sha256: string) => void): ObjectBody => {
  const hash = createHash('sha256')
  let left = found.sizeBytes
  const through = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      hash.update(chunk)
      left -= chunk.byteLength
      controller.enqueue(chunk)
    },
    flush: () => void (left === 0 && tell(hash.digest('hex'))),
  })
  return { ...found, body: found.body.pipeThrough(through) }
}
