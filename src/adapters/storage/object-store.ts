import { isRindleError, RindleError } from '../../core/errors.ts'
import { problemOfKey } from '../../core/object-key.ts'
import type { CallOptions, MultipartStore, StorageAdapter, StorageCapability } from '../../core/ports/storage.ts'
import { insideTransaction } from '../../database/transaction.ts'
import { refuseBadPatches } from './patches.ts'

/** An adapter behind its guards: what flows see. Everything that may be asked for is there; what the adapter cannot do throws. */
export interface ObjectStore extends StorageAdapter {
  signPut: NonNullable<StorageAdapter['signPut']>
  signGet: NonNullable<StorageAdapter['signGet']>
  publicUrl: NonNullable<StorageAdapter['publicUrl']>
  /** `sizeBytes`, as far as it is known, gives what is large the time that it needs. */
  copy(from: string, to: string, options?: CopyOptions & { readonly sizeBytes?: number }): ReturnType<StorageAdapter['copy']>
  multipart: MultipartStore
  supports(capability: StorageCapability): boolean
}

type CopyOptions = NonNullable<Parameters<StorageAdapter['copy']>[2]>

/** How long one call may take, unless the caller's signal ends it earlier. `read` counts until the bytes begin to come. */
export interface StorageTimeouts {
  readonly putMs: number
  readonly headMs: number
  readonly readMs: number
  /** Besides a second for every 8 MiB. */
  readonly copyMs: number
  readonly deleteMs: number
  /** Until the next one of what is listed is there. */
  readonly listMs: number
  readonly signMs: number
  /** Beginning, listing and aborting a multipart upload. */
  readonly partsMs: number
  /** Completing one: the store may put the object together before it answers. */
  readonly completeMs: number
  /** What an adapter gets to clean up after its signal; then its caller is told, whatever the adapter still does. */
  readonly graceMs: number
}

const defaultStorageTimeouts: StorageTimeouts = {
  putMs: 6 * 3_600_000,
  headMs: 30_000,
  readMs: 30_000,
  copyMs: 600_000,
  deleteMs: 30_000,
  listMs: 60_000,
  signMs: 30_000,
  partsMs: 30_000,
  completeMs: 600_000,
  graceMs: 5_000,
}

/** Calls `ring` after so many milliseconds, unless what it returns is called before. */
export type Timer = (ms: number, ring: () => void) => () => void

const machineTimer: Timer = (ms, ring) => {
  const timer = setTimeout(ring, ms)
  return () => clearTimeout(timer)
}

/** Slower than any store copies within itself. */
const copyBytesASecond = 8 * 1024 * 1024

/** What a timer holds: 24 days, in which 16 TiB are copied at that pace. */
const longestTimerMs = 2 ** 31 - 1

/**
 * The one way to storage. Nothing is touched while a transaction is open, no key leaves its folder, nothing is asked for that was
 * not claimed, no call lasts for ever, and a foreign error comes out once wrapped, its cause kept. The caller's own abort
 * comes out as the reason that was given.
 *
 * @throws RindleError `options_invalid` when the adapter claims to sign and has no method for it. Calls:
 * `storage_inside_transaction`, `object_key_invalid`, `upload_unsupported`, `delivery_unsupported`, `storage_failed`, and what the contract names.
 */
export const guardedStore = (adapter: StorageAdapter, timeouts: Partial<StorageTimeouts> = {}, timer = machineTimer): ObjectStore => {
  const problems = problemsOfClaims(adapter)
  if (problems.length > 0) throw new RindleError('options_invalid', { problems })
  const limits: StorageTimeouts = { ...defaultStorageTimeouts, ...timeouts }
  const { putMs, headMs, readMs, copyMs, deleteMs, listMs, signMs, graceMs } = limits
  const call: Call = (operation, keys, timeoutMs, options, run) =>
    guardedCall({ operation, store: adapter.id, keys, timeoutMs, graceMs, timer, signal: options?.signal }, run)

  return {
    id: adapter.id,
    capabilities: adapter.capabilities,
    supports: (capability) => adapter.capabilities.has(capability),
    put: (key, body, options) => call('put', [key], putMs, options, (signal) => adapter.put(key, body, { ...options, signal })),
    head: (key, options) => call('head', [key], headMs, options, (signal) => adapter.head(key, { signal })),
    read: (key, options) =>
      call('read', [key], readMs, options, (signal) => adapter.read(key, { ...options, signal: bodySignal(options, signal) })),
    copy(from, to, { sizeBytes = 0, patches = [], ...options } = {}) {
      const timeoutMs = Math.min(copyMs + (sizeBytes / copyBytesASecond) * 1000, longestTimerMs)
      return call('copy', [from, to], timeoutMs, options, async (signal) => {
        refuseBadPatches(patches)
        if (patches.length === 0) return adapter.copy(from, to, { ...options, signal })
        if (!adapter.capabilities.has('patched_copy'))
          throw new RindleError('upload_unsupported', { capability: 'patched_copy', store: adapter.id })
        return adapter.copy(from, to, { ...options, patches, signal })
      })
    },
    delete: (key, options) => call('delete', [key], deleteMs, options, (signal) => adapter.delete(key, { signal })),
    list: (prefix, options) => guardedList(call, { operation: 'list', timeoutMs: listMs, options }, (given) => adapter.list(prefix, given)),
    signPut: (key, options) =>
      call('sign', [key], signMs, undefined, async () => {
        if (!adapter.signPut) throw new RindleError('upload_unsupported', { capability: 'presigned_put', store: adapter.id })
        return adapter.signPut(key, options)
      }),
    signGet: (key, options) =>
      call('sign', [key], signMs, undefined, async () => {
        if (!adapter.signGet) throw new RindleError('delivery_unsupported', { capability: 'signed_url', store: adapter.id })
        return adapter.signGet(key, options)
      }),
    publicUrl(key) {
      refuseBadKey(key)
      if (!adapter.publicUrl) throw new RindleError('delivery_unsupported', { capability: 'public_url', store: adapter.id })
      return adapter.publicUrl(key)
    },
    multipart: guardedMultipart(adapter, limits, call),
    ...(adapter.maxPutBytes === undefined ? {} : { maxPutBytes: adapter.maxPutBytes }),
  }
}

type Call = <T>(
  operation: string,
  keys: readonly string[],
  timeoutMs: number,
  options: CallOptions | undefined,
  run: (signal: AbortSignal) => Promise<T>,
) => Promise<T>

const guardedMultipart = (
  adapter: StorageAdapter,
  { partsMs, completeMs, listMs, signMs }: StorageTimeouts,
  call: Call,
): MultipartStore => {
  const parts = (): MultipartStore => {
    if (!adapter.multipart) throw new RindleError('upload_unsupported', { capability: 'multipart_upload', store: adapter.id })
    return adapter.multipart
  }
  return {
    get limits() {
      return parts().limits
    },
    create: (key, options) =>
      call('begin a multipart upload', [key], partsMs, options, async (signal) => parts().create(key, { ...options, signal })),
    signPart: (key, options) => call('sign', [key], signMs, undefined, async () => parts().signPart(key, options)),
    listParts: (key, uploadId, options) =>
      call('list parts', [key], partsMs, options, async (signal) => parts().listParts(key, uploadId, { signal })),
    complete: (key, uploadId, stored, options) =>
      call('complete a multipart upload', [key], completeMs, options, async (signal) =>
        parts().complete(key, uploadId, stored, { signal }),
      ),
    abort: (key, uploadId, options) =>
      call('abort a multipart upload', [key], partsMs, options, async (signal) => parts().abort(key, uploadId, { signal })),
    list: (prefix, options) =>
      guardedList(call, { operation: 'list multipart uploads', timeoutMs: listMs, options }, (given) => parts().list(prefix, given)),
  }
}

const problemsOfClaims = (adapter: StorageAdapter): string[] =>
  (
    [
      ['presigned_put', 'signPut', adapter.signPut],
      ['signed_url', 'signGet', adapter.signGet],
      ['public_url', 'publicUrl', adapter.publicUrl],
      ['multipart_upload', 'multipart', adapter.multipart],
    ] as const
  ).flatMap(([capability, method, found]) =>
    adapter.capabilities.has(capability) === (found !== undefined)
      ? []
      : [`storage ${adapter.id}: ${method} is there exactly when ${capability} is claimed`],
  )

interface GuardedCall {
  readonly operation: string
  readonly store: string
  readonly keys: readonly string[]
  readonly timeoutMs: number
  readonly graceMs: number
  readonly timer: Timer
  readonly signal: AbortSignal | undefined
}

const guardedCall = async <T>(call: GuardedCall, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  refuseInsideTransaction(call.operation)
  for (const key of call.keys) refuseBadKey(key)
  call.signal?.throwIfAborted()

  const { signal, timer } = call
  const controller = new AbortController()
  const timers: (() => void)[] = []
  const stop = (reason: unknown): void => controller.abort(reason)
  const onAbort = (): void => stop(signal?.reason)
  timers.push(timer(call.timeoutMs, () => stop(new DOMException(`No answer within ${call.timeoutMs} ms`, 'TimeoutError'))))
  signal?.addEventListener('abort', onAbort, { once: true })
  const abandoned = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => timers.push(timer(call.graceMs, () => reject(controller.signal.reason))), {
      once: true,
    })
  })
  try {
    return await Promise.race([run(controller.signal), abandoned])
  } catch (err) {
    if (signal?.aborted) throw signal.reason
    throw wrapped(err, call)
  } finally {
    for (const end of timers) end()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The body outlives the call that opened it, and so must the caller's say over it. */
const bodySignal = (options: CallOptions | undefined, signal: AbortSignal): AbortSignal =>
  options?.signal ? AbortSignal.any([options.signal, signal]) : signal

/** Every item is a call of its own: what lists may take hours, but whoever waits for the next must not. */
const guardedList = <T>(
  call: Call,
  { operation, timeoutMs, options }: { readonly operation: string; readonly timeoutMs: number; readonly options: CallOptions | undefined },
  list: (options: { readonly signal: AbortSignal }) => AsyncIterable<T>,
): AsyncIterable<T> => {
  refuseInsideTransaction(operation)
  return {
    async *[Symbol.asyncIterator]() {
      const whole = new AbortController()
      const items = list({ signal: whole.signal })[Symbol.asyncIterator]()
      let isAsked = false
      const next = (signal: AbortSignal): Promise<IteratorResult<T>> => {
        signal.addEventListener('abort', () => whole.abort(signal.reason), { once: true })
        return items.next()
      }
      try {
        for (;;) {
          isAsked = true
          const { done, value } = await call(operation, [], timeoutMs, options, next)
          if (done) return
          isAsked = false
          yield value
        }
      } finally {
        // One that did not answer may never: it was told, and is not waited for.
        if (!isAsked) await items.return?.()
      }
    },
  }
}

const wrapped = (err: unknown, { operation, store }: Pick<GuardedCall, 'operation' | 'store'>): unknown =>
  isRindleError(err) ? err : new RindleError('storage_failed', { operation, store }, { cause: err })

const refuseInsideTransaction = (operation: string): void => {
  if (insideTransaction()) throw new RindleError('storage_inside_transaction', { operation })
}

const refuseBadKey = (key: string): void => {
  const problem = problemOfKey(key)
  if (problem) throw new RindleError('object_key_invalid', { problem })
}
