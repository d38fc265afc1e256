import { s3 } from '../../src/adapters/storage/s3.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { MultipartStore, StorageAdapter } from '../../src/core/ports/storage.ts'
import { type ClientAnswer, type ClientRequest, sendByFetch } from '../../src/testing/client-request.ts'
import { type BucketHonours, createMemoryBucket, type Landing, type LandingHook, type LateCall } from '../../src/testing/memory-bucket.ts'
import type { TestBucket } from '../../test/services/bucket.ts'

/** Who is asked between any two calls, and about every call on its way. Another one for each interleaving. */
export type Director = {
  between(): Promise<void>
  landing: LandingHook
  /** A ticket that writes was given out: for this key, leading to this address. */
  ticket(key: string, url: string): void
}

/** One bucket as the library sees it, as clients see it, and as it is. */
export type Ground = {
  readonly name: string
  /** What the library works with: the director is asked before and after each of its calls. */
  readonly staged: StorageAdapter
  /** The same without anybody in between, for the judge. */
  readonly bare: StorageAdapter
  readonly send: (request: ClientRequest) => Promise<ClientAnswer>
  readonly late: readonly LateCall[]
  /** How large a part of a multipart upload is; null where one part has to do. */
  readonly partBytes: number | null
  direct(director: Director | null): void
}

/** Breaks an adapter, to see whether the proof notices. */
export type Sabotage = (adapter: StorageAdapter) => StorageAdapter

const stageOf = () => {
  let current: Director | null = null
  return {
    direct: (director: Director | null) => void (current = director),
    between: async () => current?.between(),
    landing: (call: Parameters<LandingHook>[0]): Landing | Promise<Landing> => current?.landing(call) ?? 'now',
    ticket: (key: string, url: string) => current?.ticket(key, url),
  }
}

/** A bucket in memory, with those of the server's conditions that `honours` leaves on. */
export const memoryGround = (
  name: string,
  options: { readonly clock: Clock; readonly honours: Partial<BucketHonours>; readonly versioned: boolean; readonly sabotage?: Sabotage },
): Ground => {
  const { clock, honours, versioned, sabotage = (adapter) => adapter } = options
  const stage = stageOf()
  const limits = { minPartBytes: 64, maxPartBytes: 4096, maxParts: 100 }
  const { adapter, send, late } = createMemoryBucket({ name, clock, honours, versioned, limits, landing: stage.landing })
  return { name, staged: stagedOn(stage, sabotage(adapter)), bare: adapter, send, late, partBytes: 100, direct: stage.direct }
}

/** A folder of a real bucket. */
export const gatewayGround = (name: string, { bucket, endpoint, region, credentials }: TestBucket): Ground => {
  const stage = stageOf()
  const bare = s3({ bucket, endpoint, region, credentials, prefix: name })
  return { name, staged: stagedOn(stage, bare), bare, send: sendByFetch, late: [], partBytes: null, direct: stage.direct }
}

type Stage = Pick<Director, 'between' | 'ticket'>

const stagedOn = (stage: Stage, adapter: StorageAdapter): StorageAdapter => {
  const { signPut, multipart } = adapter
  const call = async <T>(run: () => Promise<T>): Promise<T> => {
    await stage.between()
    const answer = await run()
    await stage.between()
    return answer
  }
  return {
    ...adapter,
    put: (key, body, options) => call(() => adapter.put(key, body, options)),
    head: (key, options) => call(() => adapter.head(key, options)),
    read: (key, options) => call(() => adapter.read(key, options)),
    copy: (from, to, options) => call(() => adapter.copy(from, to, options)),
    delete: (key, options) => call(() => adapter.delete(key, options)),
    ...(signPut
      ? {
          async signPut(key, options) {
            const signed = await signPut(key, options)
            stage.ticket(key, signed.url)
            return signed
          },
        }
      : {}),
    ...(multipart ? { multipart: stagedParts(stage, multipart, call) } : {}),
  }
}

const stagedParts = (stage: Stage, multipart: MultipartStore, call: <T>(run: () => Promise<T>) => Promise<T>): MultipartStore => ({
  ...multipart,
  create: (key, options) => call(() => multipart.create(key, options)),
  async signPart(key, options) {
    const signed = await multipart.signPart(key, options)
    stage.ticket(key, signed.url)
    return signed
  },
  listParts: (key, id, options) => call(() => multipart.listParts(key, id, options)),
  complete: (key, id, parts, options) => call(() => multipart.complete(key, id, parts, options)),
  abort: (key, id, options) => call(() => multipart.abort(key, id, options)),
})
