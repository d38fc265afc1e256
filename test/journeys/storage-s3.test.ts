import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DeleteObjectCommand, ListMultipartUploadsCommand, ListObjectVersionsCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { s3, type S3Options } from '../../src/adapters/storage/s3.ts'
import type { Sizes } from '../../src/adapters/storage/s3/bucket.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { openBucket, skipWithoutGateway, type TestBucket } from '../services/bucket.ts'
import { collect, s3With, sourceOf } from '../services/s3-trial.ts'

const mebibyte = 1024 * 1024
const contentType = 'image/png'
/** What 5 GiB are to the usual sizes, as far as a server lets parts be small. */
const small: Partial<Sizes> = {
  ...{ putBytes: 6 * mebibyte, copyBytes: 6 * mebibyte },
  ...{ bufferBytes: 5 * mebibyte, partBytes: 5 * mebibyte, copyPartBytes: 5 * mebibyte },
}
const pattern = Uint8Array.from({ length: 251 }, (_, index) => index)
const bytesOf = (length: number): Buffer => Buffer.alloc(length, pattern)

const put = (store: StorageAdapter, key: string, bytes: Buffer) =>
  store.put(key, sourceOf(bytes).stream, { contentType, sizeBytes: bytes.byteLength })
const bytesAt = async (store: StorageAdapter, key: string): Promise<Buffer> => {
  const found = await store.read(key)
  assert.ok(found, `nothing at ${key}`)
  return Buffer.from(await new Response(found.body).arrayBuffer())
}

describe('S3 on a real server', { skip: skipWithoutGateway }, () => {
  let bucket: TestBucket
  const optionsOf = ({ bucket: name, endpoint, region, credentials }: TestBucket): S3Options => ({
    bucket: name,
    endpoint,
    region,
    credentials,
  })
  const storeWith = (options: Partial<S3Options> = {}, sizes: Partial<Sizes> = {}): StorageAdapter =>
    s3With({ ...optionsOf(bucket), ...options }, sizes)
  const uploadsLeft = async (): Promise<number> =>
    (await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.bucket }))).Uploads?.length ?? 0

  before(async () => void (bucket = await openBucket()))
  after(() => bucket?.close())

  for (const announced of [true, false])
    it(`puts a large body together from parts, its length ${announced ? 'known' : 'unknown'}`, async () => {
      const store = storeWith({}, small)
      const bytes = bytesOf(13 * mebibyte + 1)
      const key = `unmanaged/parts/${announced}`
      const sizes = announced ? { sizeBytes: bytes.byteLength } : {}
      const head = await store.put(key, sourceOf(bytes).stream, { contentType, ...sizes })
      assert.deepEqual(await store.head(key), head)
      assert.deepEqual([head.sizeBytes, head.contentType], [bytes.byteLength, contentType])
      assert.ok(bytes.equals(await bytesAt(store, key)))
      await assert.rejects(store.put(key, sourceOf(bytes).stream, { contentType, ...sizes }), { code: 'object_exists' })
      assert.equal(await uploadsLeft(), 0)
    })

  it('leaves neither object nor upload of a large body that breaks, is too long, too short, or aborted', async () => {
    const store = storeWith({}, small)
    const bytes = bytesOf(13 * mebibyte)
    const key = 'unmanaged/broken'
    for (const sizeBytes of [bytes.byteLength - 1, bytes.byteLength + 1])
      await assert.rejects(store.put(key, sourceOf(bytes).stream, { contentType, sizeBytes }), { code: 'object_size_mismatch' })
    const controller = new AbortController()
    let left = 12
    const endless = new ReadableStream<Uint8Array>({
      pull(source) {
        if (--left === 0) controller.abort(new RangeError('enough'))
        source.enqueue(bytesOf(mebibyte))
      },
    })
    await assert.rejects(store.put(key, endless, { contentType, signal: controller.signal }), RangeError)
    assert.equal(await store.head(key), null)
    assert.equal(await uploadsLeft(), 0)
  })

  it('copies in parts what is larger than one copy, and keeps its type', async () => {
    const store = storeWith({}, small)
    const bytes = bytesOf(13 * mebibyte + 1)
    const { etag } = await put(storeWith(), 'unmanaged/large Zoë+', bytes)
    const head = await store.copy('unmanaged/large Zoë+', 'sealed/large', { ifMatch: etag })
    assert.deepEqual(await store.head('sealed/large'), head)
    assert.deepEqual([head?.sizeBytes, head?.contentType], [bytes.byteLength, contentType])
    assert.ok(bytes.equals(await bytesAt(store, 'sealed/large')))
    assert.equal(await store.copy('unmanaged/large Zoë+', 'sealed/other', { ifMatch: 'another' }), null)
    assert.equal(await uploadsLeft(), 0)
  })

  it('keeps two prefixes of one bucket apart', async () => {
    const [staging, production] = [storeWith({ prefix: 'staging-site' }), storeWith({ prefix: 'production/eu' })]
    await put(staging, 'unmanaged/a', bytesOf(5))
    assert.equal(await production.head('unmanaged/a'), null)
    await put(production, 'unmanaged/a', bytesOf(7))
    for (const [store, size] of [
      [staging, 5],
      [production, 7],
    ] as const)
      assert.deepEqual(
        (await collect(store.list(''))).map(({ key, sizeBytes }) => [key, sizeBytes]),
        [['unmanaged/a', size]],
      )
    await staging.delete('unmanaged/a')
    assert.ok(await production.head('unmanaged/a'))
  })

  it('lists unfinished uploads by their very names, whatever letters they have', async () => {
    const { multipart } = storeWith({ prefix: 'uploads' })
    const names = ['unmanaged/50% off', 'unmanaged/Zoë & <b>+ 漢.png', 'unmanaged/a\u0001b', 'unmanaged/a b', 'unmanaged/a%41']
    const begun: string[] = []
    for (const name of names) begun.push(await multipart!.create(name, { contentType }))
    for (let time = 0; time < 2; time++) {
      const listed = await collect(multipart!.list('unmanaged/'))
      assert.deepEqual(listed.map(({ key }) => key).sort(), names)
      for (const { key, uploadId } of listed) assert.equal(uploadId, begun[names.indexOf(key)])
    }
    for (const { key, uploadId } of await collect(multipart!.list(''))) await multipart!.abort(key, uploadId)
    assert.equal(await uploadsLeft(), 0)
  })

  for (const announced of [true, false])
    it(`puts nothing at all, its length ${announced ? 'known' : 'unknown'}`, async () => {
      const key = `unmanaged/nothing/${announced}`
      const head = await storeWith().put(key, sourceOf(new Uint8Array()).stream, { contentType, ...(announced ? { sizeBytes: 0 } : {}) })
      assert.deepEqual([head.sizeBytes, (await bytesAt(storeWith(), key)).byteLength], [0, 0])
    })

  it('signs for the address that browsers use, whatever letters the key has', async () => {
    const { port } = new URL(bucket.endpoint)
    const store = storeWith({ publicEndpoint: `http://localhost:${port}`, prefix: 'production' })
    const key = "unmanaged/Zoë & 漢 (1)+'!*~%41 ?#;=.png"
    const signed = await store.signPut!(key, { at: new Date(), ttlSeconds: 60, contentType, sizeBytes: 5 })
    assert.equal(new URL(signed.url).hostname, 'localhost')
    const { 'content-length': _, ...headers } = signed.headers
    assert.equal((await fetch(signed.url, { method: 'PUT', headers, body: 'hello' })).status, 200)
    assert.equal((await bytesAt(store, key)).toString(), 'hello')
    const disposition = `attachment; filename="Zoe.png"; filename*=UTF-8''Zo%C3%AB.png`
    const get = await store.signGet!(key, { at: new Date(), ttlSeconds: 60, contentType: 'image/webp', contentDisposition: disposition })
    const answer = await fetch(get.url)
    assert.equal(await answer.text(), 'hello')
    assert.deepEqual([answer.headers.get('content-type'), answer.headers.get('content-disposition')], ['image/webp', disposition])
  })

  it('serves unsigned what the bucket’s policy makes public, and nothing else', async () => {
    const store = storeWith({ prefix: 'open' })
    await put(store, 'sealed/Zoë', bytesOf(5))
    await put(store, 'staging/a', bytesOf(5))
    const Resource = `arn:aws:s3:::${bucket.bucket}/open/sealed/*`
    const Statement = [{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource }]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.bucket, Policy }))
    const answer = await fetch(store.publicUrl!('sealed/Zoë'))
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, contentType])
    assert.equal((await answer.arrayBuffer()).byteLength, 5)
    assert.equal((await fetch(store.publicUrl!('staging/a'))).status, 403)
  })

  it('says what to look after when it is refused', async () => {
    const { credentials } = bucket
    const cases: readonly [Partial<S3Options>, RegExp][] = [
      [{ bucket: 'rindle-no-such-bucket' }, /no such bucket/],
      [{ credentials: { ...credentials, secretAccessKey: 'another' } }, /signature was wrong|access was denied/],
      [{ credentials: { ...credentials, accessKeyId: 'UNKNOWN' } }, /does not know these credentials|access was denied/],
    ]
    for (const [options, message] of cases) {
      const store = storeWith(options)
      const calls = [
        () => store.head('unmanaged/a'),
        () => store.read('unmanaged/a'),
        () => put(store, 'unmanaged/new', bytesOf(5)),
        () => store.copy('unmanaged/a', 'unmanaged/b'),
        () => store.delete('unmanaged/a'),
        () => collect(store.list('')),
        () => store.multipart!.listParts('unmanaged/a', 'none'),
      ]
      for (const call of calls) await assert.rejects(call, { code: 'storage_refused', message })
    }
  })
})

describe('S3 in a bucket that keeps versions', { skip: skipWithoutGateway }, () => {
  let bucket: TestBucket
  let store: StorageAdapter
  const versionsOf = async (prefix: string): Promise<string[]> => {
    const { Versions = [], DeleteMarkers = [] } = await bucket.client.send(
      new ListObjectVersionsCommand({ Bucket: bucket.bucket, Prefix: prefix }),
    )
    return [...Versions, ...DeleteMarkers].map(({ Key }) => String(Key))
  }

  before(async () => {
    bucket = await openBucket({ versioned: true })
    const { bucket: name, endpoint, region, credentials } = bucket
    store = s3({ bucket: name, endpoint, region, credentials })
  })
  after(() => bucket?.close())

  it('tells versions apart, and copies the one that was meant', async () => {
    const first = await put(store, 'staging/a', Buffer.from('first'))
    const { url, headers } = await store.signPut!('staging/a', { at: new Date(), ttlSeconds: 60, contentType, sizeBytes: 6 })
    // This server does not refuse a second PUT where it keeps versions: what was verified stays what is sealed.
    await fetch(url, { method: 'PUT', headers: { 'content-type': headers['content-type']!, 'if-none-match': '*' }, body: 'second' })
    const second = await store.head('staging/a')
    assert.ok(first.version && second?.version && first.version !== second.version)
    const sealed = await store.copy('staging/a', 'sealed/a', { ifMatch: first.etag, version: first.version })
    assert.equal((await bytesAt(store, 'sealed/a')).toString(), 'first')
    assert.deepEqual(await store.head('sealed/a'), sealed)
    assert.equal(await store.copy('staging/a', 'sealed/b', { version: 'none-such' }), null)
  })

  it('deletes every version and marker of a key, and of no other', async () => {
    for (const key of ['unmanaged/a', 'unmanaged/a+b', 'unmanaged/a/b']) {
      await put(store, key, bytesOf(5))
      await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key: key }))
      await put(store, key, bytesOf(6))
    }
    assert.equal((await versionsOf('unmanaged/a')).length, 9)
    await store.delete('unmanaged/a')
    assert.equal((await versionsOf('unmanaged/a')).filter((key) => key === 'unmanaged/a').length, 0)
    assert.equal((await versionsOf('unmanaged/a')).length, 6)
    await store.delete('unmanaged/never')
    assert.deepEqual(await versionsOf('unmanaged/never'), [])
  })
})
