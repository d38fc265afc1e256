import type { Clock } from '../core/clock.ts'
import { RindleError } from '../core/errors.ts'
import type { MultipartStore, ObjectBody, StorageAdapter } from '../core/ports/storage.ts'
import { createClock } from '../database/clock.ts'
import { createChances } from './chances.ts'
import { type FaultKind, faultKinds, faultsOf, type StorageOperation } from './faulty-storage/kinds.ts'
import { cutBody, cutList, waitForAbort } from './faulty-storage/streams.ts'

export type { FaultKind, StorageOperation } from './faulty-storage/kinds.ts'

/** One call of the adapter, before it is made. */
export interface StorageCall {
  /** From 0, in the order of the calls. */
  readonly index: number
  readonly operation: StorageOperation
  /** Of a copy: where to. Of a list: the prefix. */
  readonly key: string
}

export interface Fault extends StorageCall {
  readonly kind: FaultKind
}

export interface FaultyStorageOptions {
  /** The calls that go wrong, and how, follow from it and from the order of the calls. Default 1. */
  readonly seed?: number
  /** The share of calls that go wrong, from 0 to 1. Default 0.1. Not looked at where there is a `plan`. */
  readonly rate?: number
  /** Default: all that can happen to the call. */
  readonly kinds?: readonly FaultKind[]
  /** Says for each call what goes wrong with it, if anything. */
  readonly plan?: (call: StorageCall) => FaultKind | null
  /** Default 1000. */
  readonly slowMs?: number
  /** What slow calls wait by. Default: the machine's. */
  readonly clock?: Pick<Clock, 'sleep'>
}

export interface FaultyStorage {
  readonly adapter: StorageAdapter
  /** What went wrong so far, in the order of the calls. */
  readonly log: readonly Fault[]
  /** From now on all goes well, until `rouse`. What hangs goes on hanging. */
  calm(): void
  rouse(): void
}

/**
 * An adapter whose calls go wrong now and then, as they do over a network, by chance that a seed replays or by plan. What did not go wrong
 * is the given adapter's own. Faults are `storage_failed`, as every adapter's are; `publicUrl` cannot fail.
 *
 * @throws RindleError `argument_invalid`. Calls: the same when the plan names what cannot happen to the call.
 */
export const faultyStorage = (adapter: StorageAdapter, options: FaultyStorageOptions = {}): FaultyStorage => {
  const { seed = 1, rate = 0.1, kinds = faultKinds, slowMs = 1000, clock = createClock() } = options
  if (!(rate >= 0 && rate <= 1)) throw new RindleError('argument_invalid', { argument: 'rate', problem: 'it is a share, from 0 to 1' })
  const chance = createChances(seed)
  const log: Fault[] = []
  let index = 0
  let isCalm = false

  const byChance = ({ operation }: StorageCall): FaultKind | null => {
    const [wrong, which] = [chance(), chance()]
    const possible = faultsOf[operation].filter((kind) => kinds.includes(kind))
    return wrong < rate ? (possible[Math.floor(which * possible.length)] ?? null) : null
  }
  const decide = (operation: StorageOperation, key: string): FaultKind | null => {
    const call: StorageCall = { index, operation, key }
    index += 1
    if (isCalm) return null
    const kind = (options.plan ?? byChance)(call)
    if (kind === null) return null
    if (!faultsOf[operation].includes(kind))
      throw new RindleError('argument_invalid', { argument: 'plan', problem: `${kind} cannot happen to ${operation}` })
    log.push({ ...call, kind })
    return kind
  }
  const slow = async (signal: AbortSignal | undefined): Promise<void> => {
    await clock.sleep(slowMs, signal).catch((err: unknown) => {
      throw signal?.aborted ? signal.reason : err
    })
  }
  const faulty = { decide, slow, store: adapter.id, chance: createChances(seed + 1) }
  return {
    adapter: wrapped(adapter, faulty),
    log,
    calm: () => void (isCalm = true),
    rouse: () => void (isCalm = false),
  }
}

interface Faulty {
  readonly store: string
  decide(operation: StorageOperation, key: string): FaultKind | null
  slow(signal: AbortSignal | undefined): Promise<void>
  /** Where a body is cut. */
  chance(): number
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
  async <T>(operation: StorageOperation, key: string, options: Signalled, run: (kind: FaultKind | null) => Promise<T>): Promise<T> => {
    options?.signal?.throwIfAborted()
    const kind = faulty.decide(operation, key)
    await before(faulty, operation, kind, options)
    const answer = await run(kind)
    if (kind === 'fail_after') throw failure(faulty, operation, 'The connection was lost before the answer')
    return answer
  }

const before = async (faulty: Faulty, operation: StorageOperation, kind: FaultKind | null, options: Signalled): Promise<void> => {
  if (kind === 'fail_before') throw failure(faulty, operation, 'The connection was lost')
  if (kind === 'http_5xx') throw failure(faulty, operation, '503 Slow Down')
  if (kind === 'ok_with_error') throw failure(faulty, operation, '200 with InternalError')
  if (kind === 'hang') await waitForAbort(options?.signal)
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
    const kind = faulty.decide(operation, prefix)
    await before(faulty, operation, kind, options)
    if (kind === 'fail_after') yield* cutList(list(), () => failure(faulty, operation, 'The connection was lost before the end'))
    else yield* list()
  },
})

const cut = (found: ObjectBody, { chance }: Faulty): ObjectBody => ({ ...found, body: cutBody(found.body, chance()) })
