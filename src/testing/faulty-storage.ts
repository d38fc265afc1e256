import { RindleError } from '../core/errors.ts'
import type { MultipartStore, ObjectBody, StorageAdapter } from '../core/ports/storage.ts'
import { createDecider, type Decider, type FaultOptions, type Faults, type PortCall } from './faults.ts'
import { type StorageFaultKind, type StorageOperation, storageFaultsOf } from './faulty-storage/kinds.ts'
import { cutBody, cutList } from './faulty-storage/streams.ts'

export type { StorageFaultKind, StorageOperation } from './faulty-storage/kinds.ts'

export interface StorageCall extends PortCall<'storage', StorageOperation> {
  /** Of a copy: where to. Of a list: the prefix. */
  readonly key: string
}

export type StorageFaultOptions = FaultOptions<StorageCall, StorageFaultKind>

export interface FaultyStorage extends Faults<StorageCall, StorageFaultKind> {
  readonly adapter: StorageAdapter
}

/**
 * An adapter whose calls go wrong now and then, as they do over a network, by chance that a seed replays or by plan. What did not go wrong
 * is the given adapter's own. Faults are `storage_failed`, as every adapter's are; `publicUrl` cannot fail.
 *
 * @throws RindleError `argument_invalid`. Calls: the same when the plan names what cannot happen to the call.
 */
export const faultyStorage = (adapter: StorageAdapter, options: StorageFaultOptions = {}): FaultyStorage => {
  const decider = createDecider(options, ({ operation }: StorageCall) => storageFaultsOf[operation])
  return { ...decider.faults, adapter: wrapped(adapter, { ...decider, store: adapter.id }) }
}

interface Faulty extends Decider<StorageCall, StorageFaultKind> {
  readonly store: string
}

type Signalled = { readonly signal?: AbortSignal } | undefined

const wrapped = (adapter: StorageAdapter, faulty: Faulty): StorageAdapter => {
  const call = caller(faulty)
  const { signPut, signGet, publicUrl, multipart, maxPutBytes } = adapter
  return {
    id: adapter.id,
    capabilities: adapter.capabilities,
    async put(key, body, options) {
      let isTaken = false
      try {
        return await call('put', key, options, () => {
          isTaken = true
          return adapter.put(key, body, options)
        })
      } catch (err) {
        if (!isTaken) await body.cancel(err).catch(() => undefined)
        throw err
      }
    },
    head: (key, options) => call('head', key, options, () => adapter.head(key, options)),
    read: (key, options) =>
      call('read', key, options, async (kind) => {
        const found = await adapter.read(key, options)
        return kind === 'cut_body' && found ? cut(found, faulty) : found
      }),
    copy: (from, to, options) => call('copy', to, options, () => adapter.copy(from, to, options)),
    delete: (key, options) => call('delete', key, options, () => adapter.delete(key, options)),
    list: (prefix, options) => listed(faulty, 'list', prefix, options, () => adapter.list(prefix, options)),
    ...(signPut ? { signPut: (key, options) => call('signPut', key, undefined, () => signPut.call(adapter, key, options)) } : {}),
    ...(signGet ? { signGet: (key, options) => call('signGet', key, undefined, () => signGet.call(adapter, key, options)) } : {}),
    ...(publicUrl ? { publicUrl: (key) => publicUrl.call(adapter, key) } : {}),
    ...(multipart ? { multipart: wrappedParts(multipart, faulty) } : {}),
    ...(maxPutBytes === undefined ? {} : { maxPutBytes }),
  }
}

const wrappedParts = (multipart: MultipartStore, faulty: Faulty): MultipartStore => {
  const call = caller(faulty)
  return {
    limits: multipart.limits,
    create: (key, options) => call('create', key, options, () => multipart.create(key, options)),
    signPart: (key, options) => call('signPart', key, undefined, () => multipart.signPart(key, options)),
    listParts: (key, id, options) => call('listParts', key, options, () => multipart.listParts(key, id, options)),
    complete: (key, id, parts, options) => call('complete', key, options, () => multipart.complete(key, id, parts, options)),
    abort: (key, id, options) => call('abort', key, options, () => multipart.abort(key, id, options)),
    list: (prefix, options) => listed(faulty, 'listUploads', prefix, options, () => multipart.list(prefix, options)),
  }
}

const caller =
  (faulty: Faulty) =>
  async <T>(
    operation: StorageOperation,
    key: string,
    options: Signalled,
    run: (kind: StorageFaultKind | null) => Promise<T>,
  ): Promise<T> => {
    options?.signal?.throwIfAborted()
    const kind = decideOn(faulty, operation, key)
    await before(faulty, operation, kind, options)
    const answer = await run(kind)
    if (kind === 'fail_after') throw failure(faulty, operation, 'The connection was lost before the answer')
    return answer
  }

const decideOn = (faulty: Faulty, operation: StorageOperation, key: string): StorageFaultKind | null =>
  faulty.decide((index) => ({ port: 'storage', index, operation, key }))

const before = async (faulty: Faulty, operation: StorageOperation, kind: StorageFaultKind | null, options: Signalled): Promise<void> => {
  if (kind === 'fail_before') throw failure(faulty, operation, 'The connection was lost')
  if (kind === 'http_5xx') throw failure(faulty, operation, '503 Slow Down')
  if (kind === 'ok_with_error') throw failure(faulty, operation, '200 with InternalError')
  if (kind === 'hang') await faulty.hang(options?.signal)
  if (kind === 'slow') await faulty.slow(options?.signal)
}

const failure = ({ store }: Faulty, operation: StorageOperation, what: string): RindleError =>
  new RindleError('storage_failed', { operation, store }, { cause: new DOMException(what, 'NetworkError') })

const listed = <T>(
  faulty: Faulty,
  operation: StorageOperation,
  prefix: string,
  options: Signalled,
  list: () => AsyncIterable<T>,
): AsyncIterable<T> => ({
  async *[Symbol.asyncIterator]() {
    options?.signal?.throwIfAborted()
    const kind = decideOn(faulty, operation, prefix)
    await before(faulty, operation, kind, options)
    if (kind === 'fail_after') yield* cutList(list(), () => failure(faulty, operation, 'The connection was lost before the end'))
    else yield* list()
  },
})

const cut = (found: ObjectBody, { chance }: Faulty): ObjectBody => ({ ...found, body: cutBody(found.body, chance()) })
