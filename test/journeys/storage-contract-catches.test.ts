import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../src/adapters/storage/memory.ts'
import { RindleError } from '../../src/core/errors.ts'
import type { ListedObject, MultipartStore, StorageAdapter } from '../../src/core/ports/storage.ts'
import type { ClientRequest } from '../../src/testing/client-request.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket, type MemoryBucket, type MemoryBucketOptions } from '../../src/testing/memory-bucket.ts'
import { storageContract, type StorageContractCase } from '../../src/testing/storage-contract.ts'

const collect = async (list: AsyncIterable<ListedObject>): Promise<ListedObject[]> => {
  const all: ListedObject[] = []
  for await (const one of list) all.push(one)
  return all
}

interface Breaker {
  /** How the name of the case begins that must notice. */
  readonly breaks: string
  readonly adapter: (sound: StorageAdapter) => Partial<StorageAdapter>
}

/** Adapters that each break one promise, made from one that keeps them all. */
const breakers: Readonly<Record<string, Breaker>> = {
  'replaces what is there': {
    breaks: 'refuses a second put',
    adapter: (sound) => ({
      async put(key, body, options) {
        const bytes = new Uint8Array(await new Response(body).arrayBuffer())
        await sound.delete(key)
        return sound.put(key, new Blob([bytes]).stream(), options)
      },
    }),
  },
  'does not count what comes': {
    breaks: 'leaves nothing of a stream that is longer',
    adapter: (sound) => ({
      put: (key, body, { sizeBytes: _, ...options }) => sound.put(key, body, options),
    }),
  },
  'keeps what came before the source broke': {
    breaks: 'leaves nothing of a stream that breaks',
    adapter: (sound) => ({
      async put(key, body, options) {
        const chunks: Uint8Array<ArrayBuffer>[] = []
        try {
          for await (const chunk of body) chunks.push(new Uint8Array(chunk))
        } catch (err) {
          await sound.put(key, new Blob(chunks).stream(), { contentType: options.contentType })
          throw err
        }
        return sound.put(key, new Blob(chunks).stream(), options)
      },
    }),
  },
  'ignores ranges': {
    breaks: 'reads a range',
    adapter: (sound) => ({ read: (key, { range: _, ...options } = {}) => sound.read(key, options) }),
  },
  'takes the end of a range for exclusive': {
    breaks: 'reads a range',
    adapter: (sound) => ({
      read: (key, { range, ...options } = {}) =>
        sound.read(key, range ? { ...options, range: { start: range.start, end: range.end - 1 } } : options),
    }),
  },
  'answers nothing for a range beyond the end': {
    breaks: 'refuses a range',
    adapter: (sound) => ({
      read: (key, options) =>
        sound.read(key, options).catch((err: unknown) => {
          if (err instanceof RindleError && err.code === 'object_range_invalid') return null
          throw err
        }),
    }),
  },
  'copies whatever the etag': {
    breaks: 'copies what still has the etag',
    adapter: (sound) => ({ copy: (from, to, { ifMatch: _, ...options } = {}) => sound.copy(from, to, options) }),
  },
  'copies without the patches': {
    breaks: 'copies with patches',
    adapter: (sound) => ({ copy: (from, to, { patches: _, ...options } = {}) => sound.copy(from, to, options) }),
  },
  'forgets patches that reach beyond the end': {
    breaks: 'copies nothing with patches',
    adapter: (sound) => ({
      copy: (from, to, options) =>
        sound.copy(from, to, options).catch((err: unknown) => {
          if (err instanceof RindleError && err.code === 'object_range_invalid') return sound.copy(from, to)
          throw err
        }),
    }),
  },
  'has one etag for everything': {
    breaks: 'keeps an etag while',
    adapter: (sound) => ({
      async put(key, body, options) {
        return { ...(await sound.put(key, body, options)), etag: 'same' }
      },
      async head(key, options) {
        const head = await sound.head(key, options)
        return head && { ...head, etag: 'same' }
      },
    }),
  },
  'throws where nothing is': {
    breaks: 'answers null',
    adapter: (sound) => ({
      async head(key, options) {
        const head = await sound.head(key, options)
        if (!head) throw new RindleError('object_not_found', {})
        return head
      },
    }),
  },
  'fails to delete what is not there': {
    breaks: 'deletes what is there',
    adapter: (sound) => ({
      async delete(key, options) {
        if (!(await sound.head(key))) throw new RindleError('object_not_found', {})
        await sound.delete(key, options)
      },
    }),
  },
  'deletes whole folders': {
    breaks: 'deletes one object',
    adapter: (sound) => ({
      async delete(key, options) {
        for (const one of await collect(sound.list(key))) await sound.delete(one.key, options)
      },
    }),
  },
  'lists in no order': {
    breaks: 'lists everything below',
    adapter: (sound) => ({
      async *list(prefix, options) {
        yield* (await collect(sound.list(prefix, options))).reverse()
      },
    }),
  },
  'lists in the order of UTF-16': {
    breaks: 'lists everything below',
    adapter: (sound) => ({
      async *list(prefix, options) {
        yield* (await collect(sound.list(prefix, options))).sort((one, other) => (one.key < other.key ? -1 : 1))
      },
    }),
  },
  'lists folders only': {
    breaks: 'lists by the beginning',
    adapter: (sound) => ({
      list: (prefix, options) => sound.list(prefix.slice(0, prefix.lastIndexOf('/') + 1), options),
    }),
  },
  'does not hear signals': {
    breaks: 'leaves nothing of a put that was aborted',
    adapter: (sound) => ({
      put: (key, body, { signal: _, ...options }) => sound.put(key, body, options),
      read: (key, { signal: _, ...options } = {}) => sound.read(key, options),
    }),
  },
  'forgets upper and lower case': {
    breaks: 'keeps keys apart',
    adapter: (sound) => ({
      put: (key, body, options) => sound.put(key.toLowerCase(), body, options),
      read: (key, options) => sound.read(key.toLowerCase(), options),
    }),
  },
  'claims to sign and cannot': {
    breaks: 'has an id',
    adapter: () => ({
      capabilities: new Set(['hosted', 'create_only_put', 'conditional_copy', 'presigned_put'] as const),
    }),
  },
}

interface BucketBreaker {
  readonly breaks: string
  readonly bucket?: Partial<MemoryBucketOptions>
  readonly adapter?: (sound: Required<StorageAdapter>) => Partial<StorageAdapter>
  readonly send?: (bucket: MemoryBucket, key: (request: ClientRequest) => string) => MemoryBucket['send']
}

/** A server that takes what `takes` says although the ticket forbids it. */
const lenient =
  (takes: (request: ClientRequest) => boolean): NonNullable<BucketBreaker['send']> =>
  (bucket, keyOf) =>
  async (request) => {
    const answer = await bucket.send(request)
    if (answer.status !== 403 || request.method !== 'PUT' || !takes(request)) return answer
    await bucket.adapter.put(keyOf(request), new Blob([request.body ?? new Uint8Array()]).stream(), { contentType: 'text/plain' })
    return { ...answer, status: 200 }
  }

const withParts = (sound: Required<StorageAdapter>, broken: Partial<MultipartStore>): Partial<StorageAdapter> => ({
  multipart: { ...sound.multipart, ...broken },
})

/** Buckets, and adapters for them, that each break one promise about tickets or parts. */
const bucketBreakers: Readonly<Record<string, BucketBreaker>> = {
  'signs for the machine’s time': {
    breaks: 'takes a PUT with a ticket',
    adapter: (sound) => ({ signPut: (key, options) => sound.signPut(key, { ...options, at: new Date() }) }),
  },
  'signs for another type': {
    breaks: 'takes a PUT with a ticket',
    adapter: (sound) => ({ signPut: (key, options) => sound.signPut(key, { ...options, contentType: 'application/octet-stream' }) }),
  },
  'does not bind the length': {
    breaks: 'refuses a PUT of another length',
    send: lenient(({ body }) => body?.byteLength === 6),
  },
  'does not bind a header': {
    breaks: 'refuses a PUT that lacks a header',
    send: lenient(({ headers = {} }) => !('if-none-match' in headers)),
  },
  'does not bind the checksum': {
    breaks: 'refuses a PUT that lacks a header',
    adapter: (sound) => ({ signPut: (key, { sha256: _, ...options }) => sound.signPut(key, options) }),
  },
  'takes headers that nobody signed': {
    breaks: 'takes nothing from another object',
    send: lenient(({ headers = {} }) => 'x-amz-copy-source' in headers),
  },
  'does not bind the type': {
    breaks: 'refuses a PUT of another type',
    send: lenient(({ headers = {} }) => headers['content-type'] === 'text/html'),
  },
  'gives out tickets that hardly end': {
    breaks: 'refuses a ticket after its end',
    adapter: (sound) => ({ signPut: (key, options) => sound.signPut(key, { ...options, ttlSeconds: 86_400 }) }),
  },
  'deletes by a ticket for a PUT': {
    breaks: 'refuses a ticket that was changed',
    send: (bucket, keyOf) => async (request) => {
      if (request.method === 'DELETE') await bucket.adapter.delete(keyOf(request))
      return bucket.send(request)
    },
  },
  'takes a ticket for any key': {
    breaks: 'refuses a ticket that was changed',
    send: lenient(({ url }) => new URL(url).pathname.endsWith('a0')),
  },
  'claims create-only and replaces': {
    breaks: 'lets a used ticket change nothing',
    bucket: { honours: { createOnly: false } },
    adapter: (sound) => ({ capabilities: new Set([...sound.capabilities, 'create_only_put'] as const) }),
  },
  'claims create-only and lets several through': {
    breaks: 'lets one of several simultaneous PUTs',
    bucket: { honours: { createOnly: false } },
    adapter: (sound) => ({ capabilities: new Set([...sound.capabilities, 'create_only_put'] as const) }),
  },
  'forgets the disposition': {
    breaks: 'serves an object by ticket',
    adapter: (sound) => ({ signGet: (key, options) => sound.signGet(key, { ...options, contentDisposition: 'inline' }) }),
  },
  'serves for ever': {
    breaks: 'refuses to serve by a ticket after its end',
    adapter: (sound) => ({ signGet: (key, options) => sound.signGet(key, { ...options, ttlSeconds: 86_400 }) }),
  },
  'writes keys into addresses as they are': {
    breaks: 'has one unsigned address',
    adapter: () => ({ publicUrl: (key) => `https://bucket.test/${key}` }),
  },
  'lists parts in no order': {
    breaks: 'makes an object of its parts',
    adapter: (sound) =>
      withParts(sound, {
        listParts: async (key, id, options) => (await sound.multipart.listParts(key, id, options))?.toReversed() ?? null,
      }),
  },
  'takes no small objects in parts': {
    breaks: 'makes an object of one part',
    adapter: (sound) =>
      withParts(sound, {
        async complete(key, id, parts, options) {
          if (parts.some(({ sizeBytes }) => sizeBytes < 6)) throw new RindleError('storage_failed', { operation: 'complete', store: 'x' })
          return sound.multipart.complete(key, id, parts, options)
        },
      }),
  },
  'fails to complete what is complete': {
    breaks: 'leaves the object as it is when it is completed again',
    adapter: (sound) =>
      withParts(sound, {
        async complete(key, id, parts, options) {
          if (await sound.multipart.complete(key, id, parts, options)) return true
          throw new RindleError('object_not_found', {})
        },
      }),
  },
  'keeps the first of what came as one part': {
    breaks: 'takes the last of what was sent',
    send: (bucket, keyOf) => async (request) => {
      const uploadId = new URL(request.url).searchParams.get('uploadId') ?? ''
      const there = await bucket.adapter.multipart?.listParts(keyOf(request), uploadId)
      return there?.length ? { status: 200, headers: {}, body: new Uint8Array() } : bucket.send(request)
    },
  },
  'completes with whatever parts there are': {
    breaks: 'does not complete when a part was sent again',
    bucket: { honours: { partEtags: false } },
  },
  'puts together what others do not': {
    breaks: 'does not complete with parts that are not there',
    bucket: { limits: { minPartBytes: 1 } },
    adapter: (sound) => withParts(sound, { limits: { ...sound.multipart.limits, minPartBytes: 5_242_880 } }),
  },
  'makes etags of lengths': {
    breaks: 'gives other bytes of the same length another etag',
    adapter: (sound) => ({
      async head(key, options) {
        const head = await sound.head(key, options)
        return head && { ...head, etag: String(head.sizeBytes) }
      },
    }),
  },
  'lists the first thousand parts': {
    breaks: 'lists every part',
    adapter: (sound) =>
      withParts(sound, {
        listParts: async (key, id, options) => (await sound.multipart.listParts(key, id, options))?.slice(0, 1000) ?? null,
      }),
  },
  'lists no parts where there is no upload': {
    breaks: 'knows no upload but those',
    adapter: (sound) =>
      withParts(sound, { listParts: async (key, id, options) => (await sound.multipart.listParts(key, id, options)) ?? [] }),
  },
  'does not abort': {
    breaks: 'throws the parts of an aborted upload away',
    adapter: (sound) => withParts(sound, { abort: async () => {} }),
  },
  'lists one upload to each key': {
    breaks: 'lists the uploads below a prefix',
    adapter: (sound) =>
      withParts(sound, {
        async *list(prefix, options) {
          const seen = new Set<string>()
          for await (const upload of sound.multipart.list(prefix, options)) if (seen.size < seen.add(upload.key).size) yield upload
        },
      }),
  },
  'gives out tickets for parts that hardly end': {
    breaks: 'refuses a part of another length',
    adapter: (sound) =>
      withParts(sound, {
        async signPart(key, options) {
          const { expiresAt } = await sound.multipart.signPart(key, options)
          return { ...(await sound.multipart.signPart(key, { ...options, ttlSeconds: 86_400 })), expiresAt }
        },
      }),
  },
  'does not hear signals about parts': {
    breaks: 'does nothing to parts for a signal',
    adapter: (sound) => withParts(sound, { abort: (key, id) => sound.multipart.abort(key, id) }),
  },
}

const openBucket = (options: Partial<MemoryBucketOptions> = {}) => {
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock, ...options, limits: { minPartBytes: 1000, ...options.limits } })
  const { adapter } = bucket
  const { signPut, signGet, publicUrl, multipart } = adapter
  assert.ok(signPut && signGet && publicUrl && multipart)
  const sound: Required<StorageAdapter> = { ...adapter, signPut, signGet, publicUrl, multipart, maxPutBytes: Infinity }
  return { bucket, sound, client: { send: bucket.send, now: () => clock.now() } }
}

const keyOf = ({ url }: ClientRequest): string => decodeURIComponent(new URL(url).pathname.slice(1))

const caseNamed = (beginning: string): StorageContractCase => {
  const [found, ...others] = storageContract.filter(({ name }) => name.startsWith(beginning))
  assert.ok(found && others.length === 0, `there is not one case that begins with: ${beginning}`)
  return found
}

describe('the storage contract', () => {
  for (const [breach, { breaks, adapter }] of Object.entries(breakers))
    it(`notices an adapter that ${breach}`, { timeout: 30_000 }, async () => {
      const promise = caseNamed(breaks)
      await promise.run(memory(), { folder: 'unmanaged/sound/' })
      const sound = memory()
      await assert.rejects(() => promise.run({ ...sound, ...adapter(sound) }, { folder: 'unmanaged/broken/' }))
    })

  for (const [breach, { breaks, bucket: options, adapter, send }] of Object.entries(bucketBreakers))
    it(`notices a bucket that ${breach}`, { timeout: 30_000 }, async () => {
      const promise = caseNamed(breaks)
      const whole = openBucket()
      await promise.run(whole.sound, { folder: 'unmanaged/sound/', ...whole.client })
      const { bucket, sound, client } = openBucket(options)
      const context = { folder: 'unmanaged/broken/', ...client, ...(send ? { send: send(bucket, keyOf) } : {}) }
      await assert.rejects(() => promise.run({ ...sound, ...adapter?.(sound) }, context))
    })

  it('has somebody break each promise about tickets and parts', () => {
    const about = storageContract.filter(
      ({ needs = 'hosted' }) => !['hosted', 'create_only_put', 'conditional_copy', 'patched_copy'].includes(needs),
    )
    const broken = Object.values(bucketBreakers).map(({ breaks }) => caseNamed(breaks))
    assert.deepEqual(
      about.filter((promise) => !broken.includes(promise)).map(({ name }) => name),
      [],
    )
  })

  it('asks an adapter only for what it claims', () => {
    const needed = new Set(storageContract.flatMap(({ needs }) => needs ?? []))
    assert.deepEqual([...needed].sort(), [
      'conditional_copy',
      'create_only_put',
      'multipart_upload',
      'patched_copy',
      'presigned_put',
      'public_url',
      'signed_url',
    ])
  })
})
