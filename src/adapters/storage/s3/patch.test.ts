import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openS3, type S3Trial, sourceOf } from '../../../../test/services/s3-trial.ts'
import { patternOf } from '../../../testing/storage-contract/trial.ts'

const mebibyte = 1024 * 1024
const contentType = 'video/mp4'
const bytes = patternOf(40 * mebibyte + 1)
const patches = [{ start: 20 * mebibyte, bytes: patternOf(300, 9) }]
const asked = ({ server }: S3Trial, operation: string) => server.requests.filter((one) => one.operation === operation)

const open = async () => {
  const trial = await openS3()
  const source = await trial.store().put('staging/a', sourceOf(Buffer.from(bytes)).stream, { contentType, sizeBytes: bytes.byteLength })
  trial.server.requests.length = 0
  return { trial, source, [Symbol.asyncDispose]: () => trial[Symbol.asyncDispose]() }
}

describe('copying with patches in S3', () => {
  it('lets the server copy what does not change, and sends one part', async () => {
    await using opened = await open()
    const { trial, source } = opened
    await trial.store().copy('staging/a', 'sealed/a', { ifMatch: source.etag, patches })
    assert.equal(asked(trial, 'copy-part').length, 5)
    assert.equal(asked(trial, 'put-part').length, 1)
    assert.deepEqual(
      asked(trial, 'get').map(({ headers }) => [headers['range'], headers['if-match']]),
      [[`bytes=${16 * mebibyte}-${24 * mebibyte - 1}`, `"${source.etag}"`]],
    )
    const expected = Buffer.from(bytes)
    expected.set(patches[0]!.bytes, patches[0]!.start)
    assert.ok(expected.equals(trial.server.objects.get('sealed/a')![0]!.bytes!))
  })

  it('copies nothing of a source that changes meanwhile, whatever the server makes of conditions', async () => {
    await using opened = await open()
    const { trial, source } = opened
    trial.server.settings.heedsConditions = false
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'get') trial.server.pretend('staging/a', bytes.byteLength, 'swapped')
    }
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a', { ifMatch: source.etag, patches }))
    assert.equal(trial.server.objects.has('sealed/a'), false)
    assert.equal(trial.server.uploads.size, 0)
  })

  for (const fault of ['cut body', 'no range'] as const)
    it(`has failed, and leaves nothing, when the source's bytes come with a fault: ${fault}`, async () => {
      await using opened = await open()
      const { trial } = opened
      trial.server.fail('get', fault, 5)
      await assert.rejects(trial.store().copy('staging/a', 'sealed/a', { patches }), { code: 'storage_failed' })
      assert.equal(trial.server.objects.has('sealed/a'), false)
      assert.equal(trial.server.uploads.size, 0)
    })

  it('has failed, and leaves nothing, when the changed part is not taken', async () => {
    await using opened = await open()
    const { trial } = opened
    trial.server.fail('put-part', 'error in 200')
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a', { patches }))
    assert.equal(trial.server.objects.has('sealed/a'), false)
    assert.equal(trial.server.uploads.size, 0)
  })
})
