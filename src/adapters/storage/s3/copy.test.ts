import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openS3, type S3Trial, sourceOf } from '../../../../test/services/s3-trial.ts'
import { usualSizes } from './bucket.ts'

const gibibyte = 1024 ** 3
const contentType = 'video/mp4'
const operations = ({ server }: S3Trial): string[] => server.requests.map(({ operation }) => operation)
const put = (trial: S3Trial, key: string, text: string) =>
  trial.store().put(key, sourceOf(Buffer.from(text)).stream, { contentType, sizeBytes: text.length })

describe('copying in S3', () => {
  it('copies what is small by one request, with its condition, whatever letters the key has', async () => {
    await using trial = await openS3()
    const { etag } = await put(trial, 'unmanaged/Zoë & 漢+ ?x=1%41.mp4', 'hello')
    const copied = await trial.store().copy('unmanaged/Zoë & 漢+ ?x=1%41.mp4', 'sealed/a', { ifMatch: etag })
    assert.deepEqual(copied, { sizeBytes: 5, contentType, etag, version: null })
    assert.deepEqual(operations(trial).slice(1), ['head', 'copy'])
    const { headers } = trial.server.requests.at(-1)!
    assert.equal(headers['x-amz-copy-source'], 'bucket/unmanaged/Zo%C3%AB%20%26%20%E6%BC%A2%2B%20%3Fx%3D1%2541.mp4')
    assert.equal(headers['x-amz-copy-source-if-match'], `"${etag}"`)
    assert.equal(trial.server.objects.get('sealed/a')![0]!.bytes!.toString(), 'hello')
  })

  it('copies below its prefix', async () => {
    await using trial = await openS3()
    const store = trial.store({ prefix: 'production' })
    await store.put('staging/a', sourceOf(Buffer.from('hello')).stream, { contentType, sizeBytes: 5 })
    assert.ok(await store.copy('staging/a', 'sealed/a'))
    assert.deepEqual([...trial.server.objects.keys()], ['production/staging/a', 'production/sealed/a'])
  })

  it('answers null when the source is gone, or is another', async () => {
    await using trial = await openS3()
    await put(trial, 'staging/a', 'hello')
    assert.equal(await trial.store().copy('staging/none', 'sealed/a'), null)
    assert.equal(await trial.store().copy('staging/a', 'sealed/a', { ifMatch: 'another' }), null)
    assert.equal(trial.server.objects.size, 1)
  })

  for (const happens of ['goes', 'changes'] as const)
    it(`answers null when the source ${happens} between the look and the copy`, async () => {
      await using trial = await openS3()
      const { etag } = await put(trial, 'staging/a', 'hello')
      trial.server.onRequest = ({ operation }) => {
        if (operation !== 'copy') return
        if (happens === 'goes') trial.server.objects.delete('staging/a')
        else trial.server.pretend('staging/a', 5, 'swapped')
      }
      assert.equal(await trial.store().copy('staging/a', 'sealed/a', { ifMatch: etag }), null)
      assert.equal(trial.server.objects.has('sealed/a'), false)
    })

  it('says what it copied where the server ignores the condition', async () => {
    await using trial = await openS3()
    const { etag } = await put(trial, 'staging/a', 'hello')
    trial.server.settings.heedsConditions = false
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'copy') trial.server.pretend('staging/a', 9, 'swapped')
    }
    const copied = await trial.store().copy('staging/a', 'sealed/a', { ifMatch: etag })
    assert.deepEqual(copied, { sizeBytes: 9, contentType, etag: 'swapped', version: null })
  })

  it('takes an error inside a 200 for a failure, and does not copy again', async () => {
    await using trial = await openS3()
    await put(trial, 'staging/a', 'hello')
    trial.server.fail('copy', 'error in 200')
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a'), { code: 'storage_failed' })
    assert.equal(operations(trial).filter((one) => one === 'copy').length, 1)
    assert.equal(trial.server.objects.has('sealed/a'), false)
  })

  it('replaces nothing where the server makes sure of conditions', async () => {
    await using trial = await openS3()
    await put(trial, 'staging/a', 'hello')
    await put(trial, 'sealed/a', 'there')
    await assert.rejects(trial.store({ conditionalCopy: true }).copy('staging/a', 'sealed/a'), { code: 'object_exists' })
    assert.equal(trial.server.objects.get('sealed/a')![0]!.bytes!.toString(), 'there')
  })

  it('copies the version that was meant, and says which one it made', async () => {
    await using trial = await openS3()
    trial.server.settings.versioned = true
    const first = await put(trial, 'staging/a', 'first')
    await trial.store().delete('staging/none')
    trial.server.settings.heedsConditions = false
    await put(trial, 'staging/a', 'again')
    const copied = await trial.store().copy('staging/a', 'sealed/a', { ifMatch: first.etag, version: first.version! })
    const [sealed] = trial.server.objects.get('sealed/a')!
    assert.equal(sealed!.bytes!.toString(), 'first')
    assert.deepEqual(copied, { sizeBytes: 5, contentType, etag: first.etag, version: sealed!.versionId })
    assert.equal(await trial.store().copy('staging/a', 'sealed/b', { version: 'v999' }), null)
  })
})

describe('copying what is larger than one copy takes', () => {
  const open = async (sizeBytes = 12 * gibibyte) => {
    const trial = await openS3()
    trial.server.pretend('staging/a', sizeBytes, 'e1')
    return trial
  }

  it('copies parts, each with the condition, and keeps the type', async () => {
    await using trial = await open(12 * gibibyte + 1)
    const copied = await trial.store().copy('staging/a', 'sealed/a', { ifMatch: 'e1' })
    const stored = trial.server.objects.get('sealed/a')![0]!
    assert.deepEqual(copied, { sizeBytes: 12 * gibibyte + 1, contentType, etag: stored.etag, version: null })
    const parts = trial.server.requests.filter(({ operation }) => operation === 'copy-part')
    assert.equal(parts.length, 49)
    assert.ok(parts.every(({ headers }) => headers['x-amz-copy-source-if-match'] === '"e1"'))
    assert.equal(parts.at(-1)!.headers['x-amz-copy-source-range'], `bytes=${12 * gibibyte}-${12 * gibibyte}`)
  })

  it('copies in one go what one request carries, and one byte more in parts', async () => {
    await using trial = await open(usualSizes.copyBytes)
    await trial.store().copy('staging/a', 'sealed/a')
    assert.deepEqual(operations(trial), ['head', 'copy'])
    trial.server.pretend('staging/a', usualSizes.copyBytes + 1, 'e2')
    await trial.store().copy('staging/a', 'sealed/b')
    assert.ok(operations(trial).includes('copy-part'))
  })

  it('makes larger parts where the server would not count so many', async () => {
    await using trial = await open(100 * gibibyte)
    const store = trial.store({}, { limits: { ...usualSizes.limits, maxParts: 50 } })
    assert.equal((await store.copy('staging/a', 'sealed/a'))?.sizeBytes, 100 * gibibyte)
    assert.equal(operations(trial).filter((one) => one === 'copy-part').length, 50)
  })

  it('answers null, and leaves nothing, when the source changes while it is copied', async () => {
    await using trial = await open()
    let seen = 0
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'copy-part' && ++seen === 20) trial.server.pretend('staging/a', 12 * gibibyte, 'e2')
    }
    assert.equal(await trial.store().copy('staging/a', 'sealed/a', { ifMatch: 'e1' }), null)
    assert.equal(trial.server.uploads.size, 0)
    assert.equal(trial.server.objects.has('sealed/a'), false)
  })

  it('leaves nothing when a part fails, copies no more of them, and aborts once none is under way', async () => {
    await using trial = await open()
    let underWay = 0
    let most = 0
    trial.server.onRequest = async ({ operation }) => {
      if (operation === 'abort') assert.equal(underWay, 0)
      if (operation !== 'copy-part') return
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 5))
      underWay--
    }
    trial.server.fail('copy-part', 'error in 200')
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a'), { code: 'storage_failed' })
    assert.equal(trial.server.uploads.size, 0)
    assert.ok(most <= 8)
    assert.ok(operations(trial).filter((one) => one === 'copy-part').length < 48)
    assert.equal(operations(trial).at(-1), 'abort')
  })

  it('has failed, and does not say that the source is gone, when somebody aborts the upload meanwhile', async () => {
    await using trial = await open()
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'copy-part') trial.server.uploads.clear()
    }
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a'), { code: 'storage_failed' })
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'copy-part') trial.server.objects.clear()
    }
    assert.equal(await trial.store().copy('staging/a', 'sealed/a'), null)
  })

  it('stops with its signal and aborts', async () => {
    await using trial = await open()
    const controller = new AbortController()
    trial.server.onRequest = ({ operation }) => {
      if (operation === 'copy-part') controller.abort(new RangeError('enough'))
    }
    await assert.rejects(trial.store().copy('staging/a', 'sealed/a', { signal: controller.signal }), RangeError)
    assert.equal(trial.server.uploads.size, 0)
  })
})
