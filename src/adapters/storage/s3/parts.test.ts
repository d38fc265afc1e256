import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect, openS3, type S3Trial } from '../../../../test/services/s3-trial.ts'
import type { StoredPart } from '../../../core/ports/storage.ts'

const mebibyte = 1024 * 1024
const contentType = 'video/mp4'
const key = 'staging/session/object'

/** An upload with two parts that have arrived, sent past the adapter. */
const begun = async (trial: S3Trial): Promise<{ readonly uploadId: string; readonly parts: readonly StoredPart[] }> => {
  const uploadId = await trial.store().multipart.create(key, { contentType })
  const upload = trial.server.uploads.get(uploadId)!
  upload.parts.set(1, { bytes: Buffer.alloc(5 * mebibyte, 1), sizeBytes: 5 * mebibyte, etag: 'one' })
  upload.parts.set(2, { bytes: Buffer.alloc(7, 2), sizeBytes: 7, etag: 'two' })
  return { uploadId, parts: (await trial.store().multipart.listParts(key, uploadId))! }
}

describe('a multipart upload in S3', () => {
  it('lists every part, page by page, and completes with them', async () => {
    await using trial = await openS3()
    trial.server.settings.pageSize = 1
    const { multipart } = trial.store()
    const { uploadId, parts } = await begun(trial)
    assert.deepEqual(parts, [
      { partNumber: 1, sizeBytes: 5 * mebibyte, etag: 'one' },
      { partNumber: 2, sizeBytes: 7, etag: 'two' },
    ])
    assert.equal(await multipart.complete(key, uploadId, parts), true)
    assert.equal(trial.server.objects.get(key)![0]!.contentType, contentType)
    assert.equal(trial.server.objects.get(key)![0]!.sizeBytes, 5 * mebibyte + 7)
    assert.equal(await multipart.complete(key, uploadId, parts), false)
    assert.equal(await multipart.listParts(key, uploadId), null)
    await multipart.abort(key, uploadId)
  })

  it('begins once', async () => {
    await using trial = await openS3()
    trial.server.fail('create-upload', 'lost answer')
    await assert.rejects(trial.store().multipart.create(key, { contentType }), { code: 'storage_failed' })
    assert.equal(trial.server.requests.length, 1)
  })

  it('completes in the end when a 200 carried an error', async () => {
    await using trial = await openS3()
    const { uploadId, parts } = await begun(trial)
    trial.server.fail('complete', 'error in 200', 2)
    assert.equal(await trial.store().multipart.complete(key, uploadId, parts), true)
    assert.ok(trial.server.objects.has(key))
  })

  it('has failed when every 200 carried an error, and can be completed later', async () => {
    await using trial = await openS3()
    const { uploadId, parts } = await begun(trial)
    trial.server.fail('complete', 'error in 200', 3)
    await assert.rejects(trial.store().multipart.complete(key, uploadId, parts), { code: 'storage_failed' })
    assert.equal(trial.server.objects.size, 0)
    assert.equal(await trial.store().multipart.complete(key, uploadId, parts), true)
  })

  it('says that there is none any more when the answer to the completion was lost', async () => {
    await using trial = await openS3()
    const { uploadId, parts } = await begun(trial)
    trial.server.fail('complete', 'lost answer')
    assert.equal(await trial.store().multipart.complete(key, uploadId, parts), false)
    assert.ok(trial.server.objects.has(key))
  })

  it('is not there, whatever code the server has for that', async () => {
    await using trial = await openS3()
    const { uploadId, parts } = await begun(trial)
    const { multipart } = trial.store()
    for (const code of ['NoSuchUpload', 'NoSuchKey']) {
      trial.server.fail('list-parts', { status: 404, code })
      assert.equal(await multipart.listParts(key, uploadId), null)
      trial.server.fail('complete', { status: 404, code })
      assert.equal(await multipart.complete(key, uploadId, parts), false)
      trial.server.fail('abort', { status: 404, code })
      await multipart.abort(key, uploadId)
    }
    // What Ceph's gateway answers for an upload that was aborted.
    await multipart.abort(key, uploadId)
    trial.server.fail('complete', { status: 500, code: 'InternalError' }, 3)
    assert.equal(await multipart.complete(key, uploadId, parts), false)
  })

  it('tells a missing bucket from a missing upload', async () => {
    await using trial = await openS3()
    const { multipart } = trial.store({ bucket: 'another' })
    await assert.rejects(multipart.listParts(key, 'u'), { code: 'storage_refused' })
    await assert.rejects(multipart.complete(key, 'u', []), { code: 'storage_refused' })
    await assert.rejects(multipart.abort(key, 'u'), { code: 'storage_refused' })
  })

  it('says when a part is no longer the one that was listed', async () => {
    await using trial = await openS3()
    const { uploadId, parts } = await begun(trial)
    const upload = trial.server.uploads.get(uploadId)!
    upload.parts.set(2, { bytes: Buffer.alloc(7, 3), sizeBytes: 7, etag: 'sent again' })
    await assert.rejects(trial.store().multipart.complete(key, uploadId, parts), { code: 'object_parts_changed' })
    upload.parts.set(1, { bytes: Buffer.alloc(7, 3), sizeBytes: 7, etag: 'shorter' })
    const again = (await trial.store().multipart.listParts(key, uploadId))!
    await assert.rejects(trial.store().multipart.complete(key, uploadId, again), { code: 'object_parts_changed' })
  })

  it('lists uploads page by page, without the prefix', async () => {
    await using trial = await openS3()
    trial.server.settings.pageSize = 2
    const { multipart } = trial.store({ prefix: 'production' })
    const ids: string[] = []
    for (const name of ['staging/a', 'staging/a', 'staging/b', 'staging/c', 'sealed/d'])
      ids.push(await multipart.create(name, { contentType }))
    await trial.store().multipart.create('staging/elsewhere', { contentType })
    const listed = await collect(multipart.list('staging/'))
    assert.deepEqual(
      listed.map(({ key, uploadId }) => [key, uploadId]),
      [
        ['staging/a', ids[0]],
        ['staging/a', ids[1]],
        ['staging/b', ids[2]],
        ['staging/c', ids[3]],
      ],
    )
    assert.ok(listed.every(({ startedAt }) => startedAt.getTime() === Date.UTC(2026, 0, 1)))
  })

  for (const hidesEncoding of [false, true])
    it(`lists uploads by their very names, whatever letters they have${hidesEncoding ? ', where the server encodes and does not say so' : ''}`, async () => {
      await using trial = await openS3()
      Object.assign(trial.server.settings, { pageSize: 2, hidesEncoding })
      const { multipart } = trial.store({ prefix: 'production' })
      const names = ['unmanaged/Zoë & <b>+ 漢.png', 'unmanaged/a b', 'unmanaged/a%41', 'unmanaged/a\u0001b', 'unmanaged/50% off']
      for (const name of names) await multipart.create(name, { contentType })
      for (let time = 0; time < 2; time++)
        assert.deepEqual(
          (await collect(multipart.list('unmanaged/'))).map((upload) => upload.key),
          names,
        )
      const asked = trial.server.requests.filter(({ operation }) => operation === 'list-uploads')
      assert.equal(asked.length, hidesEncoding ? 7 : 6)
    })
})
