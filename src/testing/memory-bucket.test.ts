import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { isRindleError, RindleError } from '../core/errors.ts'
import type { SignedRequest } from '../core/ports/storage.ts'
import { createSettableClock } from './clock.ts'
import { createMemoryBucket, type Landing, type LandingHook, type MemoryBucketOptions } from './memory-bucket.ts'

const key = 'staging/session/object'
const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const streamOf = (text: string) => new Blob([text]).stream()
const text = 'text/plain'

const collect = async <T>(list: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const one of list) all.push(one)
  return all
}

const open = (options: Partial<MemoryBucketOptions> = {}) => {
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock, limits: { minPartBytes: 4, maxParts: 5, maxPartBytes: 100 }, ...options })
  const { adapter } = bucket
  assert.ok(adapter.signPut && adapter.signGet && adapter.multipart && adapter.publicUrl)
  const { signPut, signGet, multipart } = adapter
  const sign = (bytes: string, more: { sha256?: string } = {}) =>
    signPut(key, { at: clock.now(), ttlSeconds: 900, contentType: text, sizeBytes: bytes.length, ...more })
  const put = (ticket: SignedRequest, bytes: string, headers: Record<string, string> = {}) =>
    bucket.send({ ...ticket, headers: { ...ticket.headers, ...headers }, body: encode(bytes) })
  const read = async (at = key) => {
    const found = await adapter.read(at)
    return found && new Response(found.body).text()
  }
  const part = async (uploadId: string, partNumber: number, bytes: string) =>
    put(await multipart.signPart(key, { uploadId, partNumber, sizeBytes: bytes.length, at: clock.now(), ttlSeconds: 900 }), bytes)
  return { clock, bucket, adapter, sign, signGet, put, read, multipart, part }
}

const rejects = (code: string, run: () => Promise<unknown>) =>
  assert.rejects(run, (err) => isRindleError(err) && err.code === code, `it did not reject with ${code}`)

describe('a ticket of the bucket in memory', () => {
  it('puts what it was signed for, once', async () => {
    const { sign, put, read, adapter } = open()
    const ticket = await sign('hello')
    assert.equal((await put(ticket, 'hello')).status, 200)
    assert.equal(await read(), 'hello')
    assert.equal((await adapter.head(key))?.contentType, text)
    assert.equal((await put(ticket, 'jello')).status, 412)
    assert.equal(await read(), 'hello')
  })

  it('replaces what is there where create-only is not honoured, under another etag', async () => {
    const { sign, put, read, adapter } = open({ honours: { createOnly: false } })
    assert.ok(!adapter.capabilities.has('create_only_put'))
    const ticket = await sign('hello')
    await put(ticket, 'hello')
    const first = await adapter.head(key)
    assert.equal((await put(ticket, 'jello')).status, 200)
    assert.equal(await read(), 'jello')
    assert.notEqual((await adapter.head(key))?.etag, first?.etag)
  })

  it('is refused with another length, type, header, method, path or number, and after its end', async () => {
    const { sign, put, adapter, clock, bucket } = open()
    const ticket = await sign('hello')
    const { 'if-none-match': _, ...withoutCondition } = ticket.headers
    const other = (change: (url: URL) => void) => {
      const url = new URL(ticket.url)
      change(url)
      return put({ ...ticket, url: url.href }, 'hello')
    }
    const attempts = {
      'a longer body': await put(ticket, 'hello!'),
      'a shorter body': await put(ticket, 'hell'),
      'no body': await bucket.send({ ...ticket }),
      'another type': await put(ticket, 'hello', { 'content-type': 'text/html' }),
      'a missing header': await put({ ...ticket, headers: withoutCondition }, 'hello'),
      'another header': await put(ticket, 'hello', { 'if-none-match': '"x"' }),
      'another method': await bucket.send({ ...ticket, method: 'DELETE' }),
      'a read': await bucket.send({ ...ticket, method: 'GET' }),
      'another key': await other((url) => void (url.pathname = '/sealed/a/b')),
      'a longer life': await other((url) => url.searchParams.set('x-expires', '90000')),
      'a part number': await other((url) => url.searchParams.set('partNumber', '1')),
      'fewer signed headers': await other((url) => url.searchParams.set('x-signed-headers', 'content-length')),
      'no signature': await other((url) => url.searchParams.delete('x-signature')),
      'another host': await other((url) => void (url.host = 'other.bucket.test')),
    }
    for (const [what, { status }] of Object.entries(attempts)) assert.equal(status, 403, what)
    clock.advance(900)
    assert.equal((await put(ticket, 'hello')).status, 403, 'expired')
    assert.equal(await adapter.head(key), null)
  })

  it('binds a checksum, and the bytes to it', async () => {
    const { sign, put, read } = open()
    const ticket = await sign('hello', { sha256: createHash('sha256').update('hello').digest('hex') })
    assert.equal((await put(ticket, 'jello')).status, 400)
    assert.equal((await put({ ...ticket, headers: { 'content-type': text, 'if-none-match': '*' } }, 'hello')).status, 403)
    assert.equal((await put(ticket, 'hello')).status, 200)
    assert.equal(await read(), 'hello')
  })

  it('reads as it was told, and does not write', async () => {
    const { bucket, adapter, signGet, clock } = open()
    await adapter.put(key, streamOf('hello'), { contentType: text })
    const ticket = await signGet(key, { at: clock.now(), ttlSeconds: 60, contentType: 'image/png', contentDisposition: 'attachment' })
    const answer = await bucket.send(ticket)
    assert.equal(new TextDecoder().decode(answer.body), 'hello')
    assert.deepEqual(
      [answer.status, answer.headers['content-type'], answer.headers['content-disposition']],
      [200, 'image/png', 'attachment'],
    )
    assert.equal((await bucket.send({ ...ticket, method: 'PUT', body: encode('jello') })).status, 403)
    clock.advance(60)
    assert.equal((await bucket.send(ticket)).status, 403)
    assert.equal((await bucket.send({ method: 'GET', url: adapter.publicUrl?.(key) ?? '' })).status, 200)
    assert.equal((await bucket.send({ method: 'GET', url: 'https://default.bucket.test/%' })).status, 404)
    assert.equal((await bucket.send({ method: 'PUT', url: adapter.publicUrl?.(key) ?? '', body: encode('jello') })).status, 403)
  })
})

describe('parts in the bucket in memory', () => {
  it('become an object when they are completed, and the upload is over', async () => {
    const { multipart, part, read, adapter } = open()
    const uploadId = await multipart.create(key, { contentType: text })
    assert.equal((await part(uploadId, 2, 'c')).status, 200)
    assert.equal((await part(uploadId, 1, 'abcd')).status, 200)
    const parts = (await multipart.listParts(key, uploadId)) ?? []
    assert.deepEqual(
      parts.map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
      [
        [1, 4],
        [2, 1],
      ],
    )
    assert.equal(await adapter.head(key), null)
    assert.equal(await multipart.complete(key, uploadId, parts), true)
    assert.equal(await read(), 'abcdc')
    assert.match((await adapter.head(key))?.etag ?? '', /-2$/)
    assert.equal(await multipart.complete(key, uploadId, parts), false)
    assert.equal(await multipart.listParts(key, uploadId), null)
    assert.equal((await part(uploadId, 1, 'late')).status, 404)
    assert.doesNotMatch((await adapter.copy(key, 'sealed/a/b'))?.etag ?? '-', /-/)
  })

  it('are not put together when one has changed, is too small, out of order or not there', async () => {
    const { multipart, part, adapter } = open()
    const uploadId = await multipart.create(key, { contentType: text })
    await part(uploadId, 1, 'abcd')
    await part(uploadId, 2, 'ef')
    await part(uploadId, 3, 'g')
    const listed = (await multipart.listParts(key, uploadId)) ?? []
    const [first, second, third] = listed
    assert.ok(first && second && third)
    await rejects('storage_failed', () => multipart.complete(key, uploadId, listed))
    await rejects('storage_failed', () => multipart.complete(key, uploadId, [second, first]))
    await rejects('storage_failed', () => multipart.complete(key, uploadId, []))
    await rejects('object_parts_changed', () => multipart.complete(key, uploadId, [first, { ...second, partNumber: 4 }]))
    await part(uploadId, 1, 'swap')
    await rejects('object_parts_changed', () => multipart.complete(key, uploadId, [first, second]))
    assert.equal(await adapter.head(key), null)
    assert.equal(await multipart.complete('staging/other/key', uploadId, [first]), false)
  })

  it('are taken as they are where their etags are not looked at', async () => {
    const { multipart, part, read } = open({ honours: { partEtags: false } })
    const uploadId = await multipart.create(key, { contentType: text })
    await part(uploadId, 1, 'abcd')
    const parts = (await multipart.listParts(key, uploadId)) ?? []
    await part(uploadId, 1, 'swap')
    assert.equal(await multipart.complete(key, uploadId, parts), true)
    assert.equal(await read(), 'swap')
  })

  it('are refused with another number, length, upload or key', async () => {
    const { multipart, part, put, clock, bucket } = open()
    const uploadId = await multipart.create(key, { contentType: text })
    const at = clock.now()
    const ticket = await multipart.signPart(key, { uploadId, partNumber: 1, sizeBytes: 4, at, ttlSeconds: 60 })
    assert.equal((await put(ticket, 'abcde')).status, 403)
    for (const [name, value] of [
      ['partNumber', '2'],
      ['uploadId', 'upload-2'],
    ] as const) {
      const url = new URL(ticket.url)
      url.searchParams.set(name, value)
      assert.equal((await bucket.send({ method: 'PUT', url: url.href, body: encode('abcd') })).status, 403)
    }
    assert.equal((await part(uploadId, 0, 'abcd')).status, 400)
    assert.equal((await part(uploadId, 6, 'abcd')).status, 400)
    assert.equal((await part('upload-9', 1, 'abcd')).status, 404)
    assert.deepEqual(await multipart.listParts(key, uploadId), [])
  })

  it('go when the upload is aborted; it is listed until then', async () => {
    const { multipart, part, clock } = open()
    const uploadId = await multipart.create(key, { contentType: text })
    const other = await multipart.create('staging/a/b', { contentType: text })
    await part(uploadId, 1, 'abcd')
    const listed = async (prefix: string) => (await collect(multipart.list(prefix))).map((one) => one.uploadId)
    assert.deepEqual(await listed('staging/'), [other, uploadId])
    assert.deepEqual(await listed('staging/session/'), [uploadId])
    assert.deepEqual((await collect(multipart.list('staging/a/')))[0]?.startedAt, clock.now())
    await multipart.abort(key, uploadId)
    await multipart.abort(key, uploadId)
    assert.deepEqual(await listed(''), [other])
    assert.equal(await multipart.listParts(key, uploadId), null)
  })
})

describe('a call to the bucket in memory', () => {
  const landing = (hook: Landing | LandingHook): Partial<MemoryBucketOptions> => ({ landing: typeof hook === 'string' ? () => hook : hook })
  const put = ({ adapter }: ReturnType<typeof open>, options: { signal?: AbortSignal } = {}) =>
    adapter.put(key, streamOf('hello'), { contentType: text, ...options })

  it('takes effect although its answer is lost', async () => {
    const stand = open(landing('unseen'))
    await rejects('storage_failed', () => put(stand))
    assert.equal(await stand.read(), 'hello')
  })

  it('never takes effect', async () => {
    const stand = open(landing('never'))
    await rejects('storage_failed', () => put(stand))
    assert.equal(await stand.read(), null)
    assert.equal(stand.bucket.late.length, 0)
  })

  it('lands late, when told, under the conditions of that moment', async () => {
    let next: Landing = 'now'
    const stand = open(landing(() => next))
    const { adapter, bucket, read, sign } = stand
    const ticket = await sign('hello')
    next = 'late'
    await assert.rejects(
      () => stand.put(ticket, 'hello'),
      (err) => err instanceof DOMException && err.name === 'NetworkError',
    )
    await assert.rejects(() => stand.put(ticket, 'jello'))
    assert.equal(await adapter.head(key), null)
    assert.deepEqual(
      bucket.late.map(({ call }) => call),
      [
        { operation: 'send', key },
        { operation: 'send', key },
      ],
    )
    const [first, second] = bucket.late
    assert.equal(second?.land(), true)
    assert.equal(await read(), 'jello')
    assert.equal(first?.land(), false, 'something is there by now')
    assert.equal(first?.land(), false, 'it lands once')
    assert.equal(await read(), 'jello')
    assert.equal(bucket.late.length, 0)
    await rejects('storage_failed', () => adapter.delete(key))
    assert.equal(await read(), 'jello')
    assert.equal(bucket.late[0]?.land(), true)
    assert.equal(await read(), null)
  })

  it('is held up, and lands after its caller has given up', async () => {
    for (const [landed, found] of [
      ['now', 'hello'],
      ['unseen', 'hello'],
      ['never', null],
      ['late', null],
    ] as const) {
      let decide = (_: Landing): void => undefined
      const decided = new Promise<Landing>((resolve) => (decide = resolve))
      const stand = open(landing(() => decided))
      const controller = new AbortController()
      const writing = put(stand, { signal: controller.signal })
      const given = assert.rejects(writing, (err) => isRindleError(err) && err.code === 'lease_lost')
      await new Promise((resolve) => setTimeout(resolve, 5))
      controller.abort(new RindleError('lease_lost', {}))
      await given
      assert.equal(await stand.read(), null)
      decide(landed)
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(await stand.read(), found, landed)
      assert.equal(stand.bucket.late.length, landed === 'late' ? 1 : 0)
    }
  })

  it('brings an aborted upload back where aborting does not end it', async () => {
    for (const abort of [true, false]) {
      let next: Landing = 'now'
      const { multipart, part, bucket } = open({ honours: { abort }, ...landing(() => next) })
      const uploadId = await multipart.create(key, { contentType: text })
      next = 'late'
      await assert.rejects(() => part(uploadId, 1, 'abcd'))
      next = 'now'
      await multipart.abort(key, uploadId)
      assert.equal(bucket.late[0]?.land(), !abort)
      assert.equal((await collect(multipart.list(''))).length, abort ? 0 : 1)
      await multipart.abort(key, uploadId)
      assert.equal((await collect(multipart.list(''))).length, 0)
    }
  })
})

describe('copies in the bucket in memory', () => {
  it('are of what has the etag, or of whatever is there where that is not honoured', async () => {
    for (const ifMatch of [true, false]) {
      const { adapter, read } = open({ honours: { ifMatch, createOnly: false } })
      assert.equal(adapter.capabilities.has('conditional_copy'), ifMatch)
      const { etag } = await adapter.put(key, streamOf('hello'), { contentType: text })
      await adapter.put(key, streamOf('jello'), { contentType: text })
      assert.equal((await adapter.copy(key, 'sealed/a/b', { ifMatch: etag })) === null, ifMatch)
      assert.equal(await read('sealed/a/b'), ifMatch ? null : 'jello')
    }
  })

  it('are of the version that was named, where versions are kept', async () => {
    const { adapter, read } = open({ versioned: true, honours: { createOnly: false } })
    const first = await adapter.put(key, streamOf('hello'), { contentType: text })
    const second = await adapter.put(key, streamOf('jello'), { contentType: text })
    assert.ok(first.version && second.version && first.version !== second.version)
    await adapter.copy(key, 'sealed/a/b', { version: first.version })
    assert.equal(await read('sealed/a/b'), 'hello')
    assert.equal(await adapter.copy(key, 'sealed/a/c', { version: 'v99' }), null)
    await adapter.delete(key)
    assert.equal(await adapter.copy(key, 'sealed/a/c', { version: first.version }), null)
  })
})
