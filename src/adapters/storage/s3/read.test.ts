import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openS3, type S3Trial, sourceOf } from '../../../../test/services/s3-trial.ts'

const contentType = 'image/png'
const long = Buffer.alloc(300_000, 'some bytes ')
const put = (trial: S3Trial, key: string, bytes: Buffer) =>
  trial.store().put(key, sourceOf(bytes).stream, { contentType, sizeBytes: bytes.byteLength })
const textOf = (body: ReadableStream<Uint8Array>): Promise<string> => new Response(body).text()
const failed = { code: 'storage_failed', details: { operation: 'read', store: 's3:bucket' } }

describe('reading from S3', () => {
  it('looks and reads up to three times', async () => {
    await using trial = await openS3()
    await put(trial, 'sealed/a', long)
    for (const operation of ['head', 'get'] as const) trial.server.fail(operation, { status: 500, code: 'InternalError' }, 2)
    assert.equal((await trial.store().head('sealed/a'))?.sizeBytes, long.byteLength)
    const found = await trial.store().read('sealed/a')
    assert.equal(await textOf(found!.body), long.toString())
    for (const operation of ['head', 'get'] as const) trial.server.fail(operation, { status: 500, code: 'InternalError' }, 3)
    await assert.rejects(trial.store().head('sealed/a'), { code: 'storage_failed' })
    await assert.rejects(trial.store().read('sealed/a'), failed)
  })

  for (const [fault, size] of [
    ['cut body', 'long'],
    ['stall', 'long'],
    ['cut body', 'short'],
    ['stall', 'short'],
  ] as const)
    it(`never takes a part of a body for the whole: ${fault}, ${size}`, async () => {
      await using trial = await openS3()
      await put(trial, 'sealed/a', size === 'long' ? long : long.subarray(0, 1000))
      trial.server.fail('get', fault)
      const store = trial.store({ timeouts: { silenceMs: 200 } })
      await assert.rejects(async () => textOf((await store.read('sealed/a'))!.body), failed)
    })

  it('lets a reader be as slow as it likes', async () => {
    await using trial = await openS3()
    const bytes = Buffer.alloc(4_000_000, 'some bytes ')
    await put(trial, 'sealed/a', bytes)
    const { body } = (await trial.store({ timeouts: { silenceMs: 100 } }).read('sealed/a'))!
    const reader = body.getReader()
    const first = await reader.read()
    await new Promise((resolve) => setTimeout(resolve, 400))
    let length = first.value!.byteLength
    for (let next = await reader.read(); !next.done; next = await reader.read()) length += next.value.byteLength
    assert.equal(length, bytes.byteLength)
  })

  it('does not take the whole for a range', async () => {
    await using trial = await openS3()
    await put(trial, 'sealed/a', long)
    const { body, sizeBytes } = (await trial.store().read('sealed/a', { range: { start: 5, end: 8 } }))!
    assert.deepEqual([await textOf(body), sizeBytes], ['byte', long.byteLength])
    trial.server.fail('get', 'no range')
    await assert.rejects(trial.store().read('sealed/a', { range: { start: 5, end: 8 } }), failed)
  })

  it('lets go of the connection of a body that nobody wants to the end', async () => {
    await using trial = await openS3()
    await put(trial, 'sealed/a', Buffer.alloc(4_000_000))
    const store = trial.store()
    for (let time = 0; time < 300; time++) await (await store.read('sealed/a'))!.body.cancel()
    assert.ok(await store.head('sealed/a'))
  })
})
