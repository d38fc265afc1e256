import assert from 'node:assert/strict'
import { RindleError } from '../../core/errors.ts'
import {
  text,
  encode,
  patternOf,
  streamOf,
  streamThat,
  put,
  bytesAt,
  keysBelow,
  rejectsWith,
  assertNothing,
  type StorageContractCase,
} from './trial.ts'

/** An object is there whole, or not at all, and never replaced. */
export const writingCases: readonly StorageContractCase[] = [
  {
    name: 'has an id, and the methods of what it claims, no others',
    async run(adapter) {
      assert.match(adapter.id, /^[a-z0-9]+:./)
      assert.equal(adapter.signPut !== undefined, adapter.capabilities.has('presigned_put'))
      assert.equal(adapter.signGet !== undefined, adapter.capabilities.has('signed_url'))
      assert.equal(adapter.publicUrl !== undefined, adapter.capabilities.has('public_url'))
      assert.equal(adapter.multipart !== undefined, adapter.capabilities.has('multipart_upload'))
    },
  },
  {
    name: 'answers null for what is not there',
    async run(adapter, { folder }) {
      assert.equal(await adapter.head(`${folder}a/b`), null)
      assert.equal(await adapter.read(`${folder}a/b`), null)
      assert.equal(await adapter.read(`${folder}a/b`, { range: { start: 5, end: 9 } }), null)
      assert.equal(await adapter.copy(`${folder}a/b`, `${folder}a/c`), null)
      await assertNothing(adapter, `${folder}a/c`, folder)
    },
  },
  {
    name: 'gives back what was put, and the same head from put, head and read',
    async run(adapter, { folder }) {
      const head = await put(adapter, `${folder}a`, 'hello world')
      assert.equal(head.sizeBytes, 11)
      assert.ok(head.etag.length > 0)
      assert.ok(head.contentType === text || head.contentType === null)
      assert.deepEqual(await adapter.head(`${folder}a`), head)
      const found = await adapter.read(`${folder}a`)
      assert.ok(found)
      const { body, ...readHead } = found
      assert.deepEqual(readHead, head)
      assert.equal(await new Response(body).text(), 'hello world')
    },
  },
  {
    name: 'keeps an empty object',
    async run(adapter, { folder }) {
      assert.equal((await put(adapter, `${folder}a`, '')).sizeBytes, 0)
      assert.equal((await bytesAt(adapter, `${folder}a`)).byteLength, 0)
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a`])
    },
  },
  {
    name: 'keeps some mebibytes whole, in whatever chunks they come',
    async run(adapter, { folder }) {
      const bytes = patternOf(3 * 1024 * 1024 + 7)
      for (const chunkBytes of [1013, 65_536, 1_048_576, bytes.byteLength]) {
        const key = `${folder}${chunkBytes}`
        const head = await adapter.put(key, streamOf(bytes, chunkBytes), { contentType: text, sizeBytes: bytes.byteLength })
        assert.equal(head.sizeBytes, bytes.byteLength)
        assert.ok(Buffer.from(bytes).equals(await bytesAt(adapter, key)), `other bytes came back (${chunkBytes})`)
      }
    },
  },
  {
    name: 'takes bytes whose number nobody announced',
    async run(adapter, { folder }) {
      const head = await adapter.put(`${folder}a`, streamOf(encode('hello'), 2), { contentType: text })
      assert.equal(head.sizeBytes, 5)
      assert.deepEqual(await bytesAt(adapter, `${folder}a`), encode('hello'))
    },
  },
  {
    name: 'refuses a second put and leaves the first bytes unharmed',
    needs: 'create_only_put',
    async run(adapter, { folder }) {
      const head = await put(adapter, `${folder}a`, 'first')
      await rejectsWith('object_exists', () => put(adapter, `${folder}a`, 'other'))
      await rejectsWith('object_exists', () => put(adapter, `${folder}a`, ''))
      assert.deepEqual(await adapter.head(`${folder}a`), head)
      assert.deepEqual(await bytesAt(adapter, `${folder}a`), encode('first'))
    },
  },
  {
    name: 'lets one of several simultaneous puts through, whole',
    needs: 'create_only_put',
    async run(adapter, { folder }) {
      const rivals = Array.from({ length: 6 }, (_, index) => patternOf(1_200_000, index))
      const outcomes = await Promise.allSettled(rivals.map((bytes) => put(adapter, `${folder}a`, bytes)))
      const winners = rivals.filter((_, index) => outcomes[index]?.status === 'fulfilled')
      assert.equal(winners.length, 1)
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') await rejectsWith('object_exists', () => Promise.reject(outcome.reason))
      assert.ok(winners[0] && Buffer.from(winners[0]).equals(await bytesAt(adapter, `${folder}a`)))
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a`])
    },
  },
  {
    name: 'shows nothing of an object before all of it is there',
    async run(adapter, { folder }) {
      let finish = (): void => undefined
      const finished = new Promise<void>((resolve) => (finish = resolve))
      let begun = (): void => undefined
      const begin = new Promise<void>((resolve) => (begun = resolve))
      const { stream } = streamThat(patternOf(2_000_000), (controller) => {
        begun()
        return finished.then(() => controller.close())
      })
      const writing = adapter.put(`${folder}a`, stream, { contentType: text })
      await begin
      await assertNothing(adapter, `${folder}a`, folder)
      finish()
      assert.equal((await writing).sizeBytes, 2_000_000)
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}a`])
    },
  },
  {
    name: 'leaves nothing of a stream that is shorter than announced',
    async run(adapter, { folder }) {
      await rejectsWith('object_size_mismatch', () =>
        adapter.put(`${folder}a`, streamOf(encode('four')), { contentType: text, sizeBytes: 5 }),
      )
      await rejectsWith('object_size_mismatch', () => adapter.put(`${folder}a`, streamOf(encode('')), { contentType: text, sizeBytes: 5 }))
      await assertNothing(adapter, `${folder}a`, folder)
    },
  },
  {
    name: 'leaves nothing of a stream that is longer than announced, and stops it',
    async run(adapter, { folder }) {
      let left = 50
      const { stream, seen } = streamThat(patternOf(100_000), (controller) =>
        left-- > 0 ? controller.enqueue(patternOf(100_000)) : controller.close(),
      )
      await rejectsWith('object_size_mismatch', () => adapter.put(`${folder}a`, stream, { contentType: text, sizeBytes: 150_000 }))
      assert.ok(seen.cancelled)
      await assertNothing(adapter, `${folder}a`, folder)
    },
  },
  {
    name: 'leaves nothing of a stream that breaks, and passes on a typed reason',
    async run(adapter, { folder }) {
      const broken = (): ReadableStream<Uint8Array> =>
        streamThat(patternOf(1_500_000), (controller) => controller.error(new RindleError('upload_source_failed', {}))).stream
      await rejectsWith('upload_source_failed', () => adapter.put(`${folder}a`, broken(), { contentType: text, sizeBytes: 9_000_000 }))
      await rejectsWith('upload_source_failed', () => adapter.put(`${folder}a`, broken(), { contentType: text }))
      await assertNothing(adapter, `${folder}a`, folder)
    },
  },
  {
    name: 'leaves nothing of a put that was aborted, and stops its source',
    async run(adapter, { folder }) {
      const controller = new AbortController()
      const { stream, seen } = streamThat(patternOf(1_500_000), async (source) => {
        controller.abort(new RindleError('lease_lost', {}))
        await new Promise((resolve) => setTimeout(resolve, 1000).unref())
        if (!seen.cancelled) source.close()
      })
      await rejectsWith('lease_lost', () =>
        adapter.put(`${folder}a`, stream, { contentType: text, sizeBytes: 3_000_000, signal: controller.signal }),
      )
      assert.ok(seen.cancelled)
      await assertNothing(adapter, `${folder}a`, folder)
    },
  },
  {
    name: 'does nothing for a signal that has been aborted before',
    async run(adapter, { folder }) {
      await put(adapter, `${folder}kept`, 'kept')
      const signal = AbortSignal.abort(new RindleError('lease_lost', {}))
      await rejectsWith('lease_lost', () => adapter.put(`${folder}a`, streamOf(encode('a')), { contentType: text, signal }))
      await rejectsWith('lease_lost', () => adapter.copy(`${folder}kept`, `${folder}a`, { signal }))
      await rejectsWith('lease_lost', () => adapter.delete(`${folder}kept`, { signal }))
      await rejectsWith('lease_lost', () => adapter.head(`${folder}kept`, { signal }))
      await rejectsWith('lease_lost', () => adapter.read(`${folder}kept`, { signal }))
      assert.deepEqual(await keysBelow(adapter, folder), [`${folder}kept`])
    },
  },
  {
    name: 'takes a key again after a put of it has failed',
    async run(adapter, { folder }) {
      await rejectsWith('object_size_mismatch', () =>
        adapter.put(`${folder}a/b`, streamOf(encode('four')), { contentType: text, sizeBytes: 5 }),
      )
      await put(adapter, `${folder}a/b`, 'five5')
      assert.deepEqual(await bytesAt(adapter, `${folder}a/b`), encode('five5'))
    },
  },
]
