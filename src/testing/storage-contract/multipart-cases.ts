import assert from 'node:assert/strict'
import { isRindleError, RindleError } from '../../core/errors.ts'
import type { ListedMultipart, StorageAdapter, StoredPart } from '../../core/ports/storage.ts'
import {
  assertNothing,
  beginParts,
  bytesAt,
  encode,
  multipartOf,
  nowOf,
  patternOf,
  rejectsWith,
  send,
  type StorageContractCase,
  tamperedUrls,
  text,
} from './trial.ts'

const uploadsBelow = async (adapter: StorageAdapter, prefix: string): Promise<ListedMultipart[]> => {
  const uploads: ListedMultipart[] = []
  for await (const upload of multipartOf(adapter).list(prefix)) uploads.push(upload)
  return uploads
}

/** As small as the first of two parts may be. */
const leastBytes = (adapter: StorageAdapter): number => Math.max(1, multipartOf(adapter).limits.minPartBytes)

const isWhole = async (adapter: StorageAdapter, key: string, parts: readonly Uint8Array[]): Promise<boolean> =>
  Buffer.concat(parts).equals(await bytesAt(adapter, key))

/** Parts come, are listed, and become an object. */
const completing: readonly StorageContractCase[] = [
  {
    name: 'makes an object of its parts, in whatever order they came',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const least = leastBytes(adapter)
      const [first, second, third] = [patternOf(least, 1), patternOf(least + 1000, 2), patternOf(17, 3)]
      const upload = await beginParts(adapter, context, key)
      assert.deepEqual(await upload.parts(), [])
      await upload.part(3, third)
      await upload.part(1, first)
      await upload.part(2, second)
      const parts = await upload.parts()
      assert.deepEqual(
        parts.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
        [first, second, third].map(({ byteLength }, index) => [index + 1, byteLength]),
      )
      await assertNothing(adapter, key, context.folder)
      assert.equal(await multipartOf(adapter).complete(key, upload.uploadId, parts), true)
      const head = await adapter.head(key)
      assert.deepEqual([head?.sizeBytes, head?.contentType], [least * 2 + 1017, text])
      assert.ok(await isWhole(adapter, key, [first, second, third]))
      assert.equal(await multipartOf(adapter).listParts(key, upload.uploadId), null)
      assert.deepEqual(await uploadsBelow(adapter, context.folder), [])
    },
  },
  {
    name: 'makes an object of one part, however small',
    needs: 'multipart_upload',
    async run(adapter, context) {
      for (const bytes of [encode('hello'), new Uint8Array()]) {
        const key = `${context.folder}${bytes.byteLength}`
        const upload = await beginParts(adapter, context, key)
        await upload.part(1, bytes)
        assert.equal(await multipartOf(adapter).complete(key, upload.uploadId, await upload.parts()), true)
        assert.deepEqual(await bytesAt(adapter, key), bytes)
      }
    },
  },
  {
    name: 'leaves the object as it is when it is completed again, and refuses later parts',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const upload = await beginParts(adapter, context, key)
      const ticket = await upload.sign(1, 5)
      await upload.part(1, encode('hello'))
      const parts = await upload.parts()
      await multipartOf(adapter).complete(key, upload.uploadId, parts)
      const head = await adapter.head(key)
      await multipartOf(adapter).complete(key, upload.uploadId, parts)
      assert.ok((await send(context, ticket, 'jello')).status >= 400)
      await multipartOf(adapter).complete(key, upload.uploadId, parts)
      await multipartOf(adapter).abort(key, upload.uploadId)
      assert.deepEqual(await adapter.head(key), head)
      assert.deepEqual(await bytesAt(adapter, key), encode('hello'))
    },
  },
  {
    name: 'takes the last of what was sent as one part',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const upload = await beginParts(adapter, context, key)
      for (const bytes of ['first', 'other', 'longer']) await upload.part(1, encode(bytes))
      const parts = await upload.parts()
      assert.deepEqual(
        parts.map(({ sizeBytes }) => sizeBytes),
        [6],
      )
      assert.equal(await multipartOf(adapter).complete(key, upload.uploadId, parts), true)
      assert.deepEqual(await bytesAt(adapter, key), encode('longer'))
    },
  },
  {
    name: 'does not complete when a part was sent again meanwhile, and does once that is known',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const upload = await beginParts(adapter, context, key)
      const [first, other, last] = [patternOf(leastBytes(adapter), 1), patternOf(leastBytes(adapter), 2), encode('end')]
      await upload.part(1, first)
      await upload.part(2, last)
      const listed = await upload.parts()
      await upload.part(1, other)
      await rejectsWith('object_parts_changed', () => multipartOf(adapter).complete(key, upload.uploadId, listed))
      assert.equal(await adapter.head(key), null)
      assert.equal(await multipartOf(adapter).complete(key, upload.uploadId, await upload.parts()), true)
      assert.ok(await isWhole(adapter, key, [other, last]))
    },
  },
  {
    name: 'does not complete with parts that are not there, or that are too small before the last',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const multipart = multipartOf(adapter)
      const upload = await beginParts(adapter, context, key)
      await upload.part(1, encode('x'))
      const [first] = await upload.parts()
      assert.ok(first)
      const isError = (err: unknown): boolean => isRindleError(err)
      const tries = (parts: readonly StoredPart[]) => assert.rejects(() => multipart.complete(key, upload.uploadId, parts), isError)
      await tries([{ ...first, partNumber: 2 }])
      await upload.part(2, encode('y'))
      if (multipart.limits.minPartBytes > 1) await tries(await upload.parts())
      await assertNothing(adapter, key, context.folder)
      await multipartOf(adapter).abort(key, upload.uploadId)
    },
  },
  {
    name: 'gives other bytes of the same length another etag, also when they came in parts; and copies those that were meant',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const made: Record<string, string> = {}
      for (const name of ['a', 'b']) {
        const upload = await beginParts(adapter, context, context.folder + name)
        await upload.part(1, encode(`hello ${name}`))
        await multipartOf(adapter).complete(context.folder + name, upload.uploadId, await upload.parts())
        made[name] = (await adapter.head(context.folder + name))?.etag ?? ''
      }
      assert.notEqual(made['a'], made['b'])
      const { a: ifMatch = '', b: other = '' } = made
      assert.equal((await adapter.copy(`${context.folder}a`, `${context.folder}c`, { ifMatch }))?.sizeBytes, 7)
      assert.deepEqual(await bytesAt(adapter, `${context.folder}c`), encode('hello a'))
      if (adapter.capabilities.has('conditional_copy'))
        assert.equal(await adapter.copy(`${context.folder}a`, `${context.folder}d`, { ifMatch: other }), null)
    },
  },
]

/** Uploads that are begun, seen and given up, and the tickets of their parts. */
const keeping: readonly StorageContractCase[] = [
  {
    name: 'lists every part, however many there are',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const count = Math.min(multipartOf(adapter).limits.maxParts, 1005)
      const upload = await beginParts(adapter, context, `${context.folder}a`)
      const numbers = Array.from({ length: count }, (_, index) => index + 1)
      const sender = async (): Promise<void> => {
        for (let next = numbers.pop(); next !== undefined; next = numbers.pop()) await upload.part(next, encode('x'))
      }
      await Promise.all(Array.from({ length: 8 }, sender))
      const parts = await upload.parts()
      assert.equal(parts.length, count)
      assert.ok(parts.every(({ partNumber }, index) => partNumber === index + 1))
      await multipartOf(adapter).abort(`${context.folder}a`, upload.uploadId)
    },
  },
  {
    name: 'knows no upload but those that are under way, each under its key',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const multipart = multipartOf(adapter)
      const [key, other] = [`${context.folder}a`, `${context.folder}b`]
      const upload = await beginParts(adapter, context, key)
      await upload.part(1, encode('hello'))
      const parts = await upload.parts()
      const gone = await beginParts(adapter, context, key)
      await multipart.abort(key, gone.uploadId)
      for (const [at, id] of [
        [other, upload.uploadId],
        [key, gone.uploadId],
      ] as const) {
        assert.equal(await multipart.listParts(at, id), null)
        assert.equal(await multipart.complete(at, id, parts), false)
        await multipart.abort(at, id)
      }
      await assertNothing(adapter, other, context.folder)
      assert.deepEqual(await upload.parts(), parts)
      await multipart.abort(key, upload.uploadId)
    },
  },
  {
    name: 'throws the parts of an aborted upload away, and takes no more',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const upload = await beginParts(adapter, context, key)
      const ticket = await upload.sign(1, 5)
      await upload.part(1, encode('hello'))
      await multipartOf(adapter).abort(key, upload.uploadId)
      assert.ok((await send(context, ticket, 'hello')).status >= 400)
      await multipartOf(adapter).abort(key, upload.uploadId)
      assert.equal(await multipartOf(adapter).listParts(key, upload.uploadId), null)
      assert.deepEqual(await uploadsBelow(adapter, context.folder), [])
      await assertNothing(adapter, key, context.folder)
    },
  },
  {
    name: 'lists the uploads below a prefix, several to one key among them',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const { folder } = context
      const begun: (readonly [string, string])[] = []
      for (const name of ['b/x', 'a/y', 'a/y', 'a/é 😀']) {
        const { uploadId } = await beginParts(adapter, context, folder + name)
        begun.push([folder + name, uploadId])
      }
      const found = await uploadsBelow(adapter, folder)
      const seen = (uploads: readonly (readonly [string, string])[]) => uploads.map(([key, id]) => `${key} ${id}`).sort()
      assert.deepEqual(seen(found.map(({ key, uploadId }) => [key, uploadId])), seen(begun))
      const away = nowOf(context).getTime()
      for (const { startedAt } of found) assert.ok(Math.abs(startedAt.getTime() - away) < 600_000, 'it began at another time')
      assert.equal((await uploadsBelow(adapter, `${folder}a/`)).length, 3)
      assert.equal((await uploadsBelow(adapter, `${folder}c`)).length, 0)
      for (const [key, uploadId] of begun) await multipartOf(adapter).abort(key, uploadId)
      assert.deepEqual(await uploadsBelow(adapter, folder), [])
    },
  },
  {
    name: 'refuses a part of another length than its ticket says, after its end, and by a ticket that was changed',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const upload = await beginParts(adapter, context, key)
      const at = nowOf(context)
      const ticket = await upload.sign(1, 5, { at, ttlSeconds: 60 })
      assert.equal(ticket.method, 'PUT')
      assert.equal(ticket.expiresAt.getTime(), at.getTime() + 60_000)
      for (const bytes of ['hell', 'hello!', '']) assert.equal((await send(context, ticket, bytes)).status, 403, `${bytes.length} bytes`)
      const old = await upload.sign(1, 5, { at: new Date(at.getTime() - 120_000), ttlSeconds: 60 })
      assert.equal((await send(context, old, 'hello')).status, 403)
      for (const url of tamperedUrls(ticket.url)) {
        const { status } = await send(context, ticket, 'hello', { url })
        assert.ok(status >= 400 && status < 500, `answered ${status} to ${new URL(url).search.replaceAll(/=[^&]*/g, '')}`)
      }
      for (const method of ['GET', 'DELETE']) assert.equal((await send(context, ticket, null, { method })).status, 403, method)
      assert.deepEqual(await upload.parts(), [])
      await assertNothing(adapter, key, context.folder)
      await multipartOf(adapter).abort(key, upload.uploadId)
    },
  },
  {
    name: 'does nothing to parts for a signal that has been aborted before',
    needs: 'multipart_upload',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const multipart = multipartOf(adapter)
      const upload = await beginParts(adapter, context, key)
      await upload.part(1, encode('hello'))
      const parts = await upload.parts()
      const signal = AbortSignal.abort(new RindleError('lease_lost', {}))
      await rejectsWith('lease_lost', () => multipart.create(`${context.folder}b`, { contentType: text, signal }))
      await rejectsWith('lease_lost', () => multipart.listParts(key, upload.uploadId, { signal }))
      await rejectsWith('lease_lost', () => multipart.complete(key, upload.uploadId, parts, { signal }))
      await rejectsWith('lease_lost', () => multipart.abort(key, upload.uploadId, { signal }))
      await assertNothing(adapter, key, context.folder)
      assert.deepEqual(await upload.parts(), parts)
      assert.equal((await uploadsBelow(adapter, context.folder)).length, 1)
      await multipart.abort(key, upload.uploadId)
    },
  },
]

export const multipartCases: readonly StorageContractCase[] = [...completing, ...keeping]
