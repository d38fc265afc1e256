import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openS3, sourceOf } from '../../../../test/services/s3-trial.ts'
import { usualSizes } from './bucket.ts'

const mebibyte = 1024 * 1024
const contentType = 'image/png'
const pattern = Uint8Array.from({ length: 251 }, (_, index) => (index * 7) % 251)
const bytesOf = (length: number): Uint8Array => Buffer.alloc(length, pattern)
/** 5 MiB parts, so that 12 MiB are three of them. */
const small = { putBytes: 6 * mebibyte, bufferBytes: 5 * mebibyte, partBytes: 5 * mebibyte }
const operations = (requests: readonly { readonly operation: string }[]): string[] => requests.map(({ operation }) => operation)

describe('putting into S3', () => {
  it('sends what fits into one request as it comes, create-only, with its length and type, once', async () => {
    await using trial = await openS3()
    const head = await trial.store().put('staging/a', sourceOf(bytesOf(3 * mebibyte)).stream, { contentType, sizeBytes: 3 * mebibyte })
    assert.deepEqual(operations(trial.server.requests), ['put'])
    const { headers } = trial.server.requests[0]!
    assert.equal(headers['content-length'], String(3 * mebibyte))
    assert.equal(headers['if-none-match'], '*')
    assert.equal(headers['content-type'], contentType)
    assert.equal(headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD')
    const stored = trial.server.objects.get('staging/a')![0]!
    assert.deepEqual(head, { sizeBytes: 3 * mebibyte, contentType, etag: stored.etag, version: null })
    assert.ok(stored.bytes!.equals(bytesOf(3 * mebibyte)))

    for (const sizeBytes of [10, undefined]) {
      trial.server.fail('put', { status: 500, code: 'InternalError' })
      const before = trial.server.requests.length
      const body = sourceOf(bytesOf(10)).stream
      await assert.rejects(trial.store().put('staging/b', body, { contentType, ...(sizeBytes === undefined ? {} : { sizeBytes }) }), {
        code: 'storage_failed',
        details: { operation: 'put', store: 's3:bucket' },
      })
      assert.equal(trial.server.requests.length, before + 1)
    }
  })

  for (const announced of [true, false])
    it(`cuts what is larger into equal parts, whether or not its length is known (${announced ? 'known' : 'unknown'})`, async () => {
      await using trial = await openS3()
      const bytes = bytesOf(12 * mebibyte + 5)
      const sizes = announced ? { sizeBytes: bytes.byteLength } : {}
      const head = await trial.store({}, small).put('sealed/a', sourceOf(bytes, 700_001).stream, { contentType, ...sizes })
      assert.deepEqual(operations(trial.server.requests), [
        'head',
        'head-bucket',
        'create-upload',
        'put-part',
        'put-part',
        'put-part',
        'complete',
        'head',
      ])
      assert.deepEqual(
        trial.server.requests.flatMap(({ operation, headers }) => (operation === 'put-part' ? [headers['content-length']] : [])),
        [5 * mebibyte, 5 * mebibyte, 2 * mebibyte + 5].map(String),
      )
      assert.equal(trial.server.requests.at(-2)!.headers['if-none-match'], '*')
      const stored = trial.server.objects.get('sealed/a')![0]!
      assert.ok(stored.bytes!.equals(bytes))
      assert.deepEqual(head, { sizeBytes: bytes.byteLength, contentType, etag: stored.etag, version: null })
    })

  it('sends one request for bytes that nobody announced and that fill one part exactly', async () => {
    await using trial = await openS3()
    await trial.store({}, small).put('sealed/a', sourceOf(bytesOf(5 * mebibyte)).stream, { contentType })
    assert.deepEqual(operations(trial.server.requests), ['put'])
  })

  it('leaves no part of a source that breaks, is too long or too short', async () => {
    await using trial = await openS3()
    const store = trial.store({}, small)
    const bytes = bytesOf(12 * mebibyte)
    for (const sizeBytes of [bytes.byteLength - 1, bytes.byteLength + 1]) {
      const { stream } = sourceOf(bytes)
      await assert.rejects(store.put('sealed/a', stream, { contentType, sizeBytes }), { code: 'object_size_mismatch' })
    }
    for (const announced of [{ sizeBytes: bytes.byteLength }, {}]) {
      let left = 8
      const broken = new ReadableStream<Uint8Array>({
        pull: (controller) => (left-- > 0 ? controller.enqueue(bytesOf(mebibyte)) : controller.error(new RangeError('the source broke'))),
      })
      await assert.rejects(store.put('sealed/a', broken, { contentType, ...announced }), { code: 'storage_failed' })
    }
    assert.equal(trial.server.uploads.size, 0)
    assert.equal(trial.server.objects.size, 0)
  })

  it('aborts the upload when a part or the completion fails, and stops the source', async () => {
    await using trial = await openS3()
    const store = trial.store({}, small)
    for (const [operation, fault, times] of [
      ['put-part', { status: 503, code: 'SlowDown' }, 1],
      ['put-part', 'lost answer', 1],
      ['complete', 'error in 200', 3],
    ] as const) {
      trial.server.fail(operation, fault, times)
      const { stream, stopped } = sourceOf(bytesOf(30 * mebibyte), mebibyte)
      const putting = store.put('sealed/a', stream, { contentType, sizeBytes: 30 * mebibyte })
      await assert.rejects(putting, { code: 'storage_failed', details: { operation: 'put', store: 's3:bucket' } })
      assert.ok(operation === 'complete' || stopped())
      assert.equal(trial.server.uploads.size, 0)
      assert.equal(trial.server.objects.size, 0)
    }
  })

  it('asks again when the completion fails inside a 200', async () => {
    await using trial = await openS3()
    trial.server.fail('complete', 'error in 200')
    await trial.store({}, small).put('sealed/a', sourceOf(bytesOf(7 * mebibyte)).stream, { contentType, sizeBytes: 7 * mebibyte })
    assert.equal(trial.server.objects.get('sealed/a')![0]!.sizeBytes, 7 * mebibyte)
  })

  it('knows its own object when the answer to the completion was lost', async () => {
    await using trial = await openS3()
    trial.server.fail('complete', 'lost answer')
    const head = await trial.store({}, small).put('sealed/a', sourceOf(bytesOf(7 * mebibyte)).stream, { contentType })
    assert.equal(head.sizeBytes, 7 * mebibyte)
    assert.equal(operations(trial.server.requests).filter((one) => one === 'complete').length, 2)
  })

  it('replaces nothing that came between', async () => {
    await using trial = await openS3()
    const store = trial.store({}, small)
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'put-part') trial.server.pretend('sealed/a', 5, 'another')
    }
    await assert.rejects(store.put('sealed/a', sourceOf(bytesOf(7 * mebibyte)).stream, { contentType }), { code: 'object_exists' })
    assert.equal(trial.server.objects.get('sealed/a')![0]!.etag, 'another')
    assert.equal(trial.server.uploads.size, 0)
    await assert.rejects(store.put('sealed/a', sourceOf(bytesOf(7 * mebibyte)).stream, { contentType }), { code: 'object_exists' })
    assert.equal(trial.server.uploads.size, 0)
  })

  it('gives up on a server that takes nothing, but waits for a slow source', async () => {
    await using trial = await openS3()
    const store = trial.store({ timeouts: { silenceMs: 150 } })
    const slow = new ReadableStream<Uint8Array>({
      async start(controller) {
        await new Promise((resolve) => setTimeout(resolve, 500))
        controller.enqueue(bytesOf(10))
        controller.close()
      },
    })
    assert.equal((await store.put('staging/slow', slow, { contentType, sizeBytes: 10 })).sizeBytes, 10)
    trial.server.fail('put', 'stall')
    const { stream, stopped } = sourceOf(bytesOf(5 * mebibyte))
    await assert.rejects(store.put('staging/a', stream, { contentType, sizeBytes: 5 * mebibyte }), { code: 'storage_failed' })
    assert.ok(stopped())
  })

  for (const [what, operation, length, announced] of [
    ['nobody announced', 'put', 3 * mebibyte, false],
    ['nobody announced, in parts', 'put-part', 12 * mebibyte, false],
    ['nobody announced, and there is none', 'put', 0, false],
    ['there is none of', 'put', 0, true],
  ] as const)
    it(`gives up on a server that takes nothing of a body that ${what}`, async () => {
      await using trial = await openS3()
      const store = trial.store({ timeouts: { silenceMs: 150 } }, small)
      trial.server.fail(operation, 'stall')
      const sizes = announced ? { sizeBytes: length } : {}
      const stop = AbortSignal.timeout(20_000)
      const putting = store.put('sealed/a', sourceOf(bytesOf(length)).stream, { contentType, ...sizes, signal: stop })
      await assert.rejects(putting, { code: 'storage_failed' })
      assert.equal(trial.server.uploads.size, 0)
      const head = await store.put('sealed/a', sourceOf(bytesOf(length)).stream, { contentType, ...sizes })
      assert.equal(head.sizeBytes, length)
    })

  it('takes no more parts than a server counts', async () => {
    await using trial = await openS3()
    const store = trial.store({}, { ...small, limits: { ...usualSizes.limits, maxParts: 2 } })
    await assert.rejects(store.put('sealed/a', sourceOf(bytesOf(11 * mebibyte)).stream, { contentType }), { code: 'upload_too_large' })
    assert.equal(trial.server.uploads.size, 0)
  })

  it('lets one PUT carry what Cloudflare R2 takes as well: 5 MiB less than 5 GiB, and 5 GiB less than 5 TiB in parts', async () => {
    await using trial = await openS3()
    const { maxPutBytes, multipart } = trial.store()
    assert.equal(maxPutBytes, (5 * 1024 - 5) * mebibyte)
    assert.deepEqual([multipart.limits.maxPartBytes, multipart.limits.maxObjectBytes], [maxPutBytes, 5 * 1023 * 1024 * mebibyte])
  })
})
