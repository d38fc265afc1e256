import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect, openS3, sourceOf, type S3Trial } from '../../../../test/services/s3-trial.ts'
import type { S3Operation } from '../../../../test/services/s3-shelf.ts'
import type { StorageAdapter } from '../../../core/ports/storage.ts'

const contentType = 'image/png'
const key = 'staging/a'
const put = (store: StorageAdapter) => store.put(key, sourceOf(Buffer.from('hello')).stream, { contentType, sizeBytes: 5 })
const asked = ({ server }: S3Trial, operation: S3Operation): number =>
  server.requests.filter((request) => request.operation === operation).length

describe('a connection of S3 on which no answer comes', () => {
  const calls: readonly [S3Operation, (store: ReturnType<S3Trial['store']>, uploadId: string) => Promise<unknown>][] = [
    ['head', (store) => store.head(key)],
    ['head-bucket', (store) => store.head('staging/none')],
    ['get', (store) => store.read(key)],
    ['delete', (store) => store.delete(key)],
    ['list', (store) => collect(store.list(''))],
    ['list-uploads', (store) => collect(store.multipart.list(''))],
    ['list-parts', (store, uploadId) => store.multipart.listParts(key, uploadId)],
    ['abort', (store, uploadId) => store.multipart.abort(key, uploadId)],
  ]
  for (const [operation, call] of calls)
    it(`is left for another, three times in all: ${operation}`, async () => {
      await using trial = await openS3()
      await put(trial.store())
      const uploadId = await trial.store().multipart.create(key, { contentType })
      const store = trial.store({ timeouts: { answerMs: 100 } })
      trial.server.fail(operation, 'silence', 2)
      await call(store, uploadId)
      assert.equal(asked(trial, operation), 3)
      trial.server.fail(operation, 'silence', 3)
      const other = trial.store({ timeouts: { answerMs: 100 } })
      await assert.rejects(call(other, uploadId), { code: 'storage_failed' })
    })

  it('is waited on where the server has to put parts together, and while a body comes', async () => {
    await using trial = await openS3()
    const store = trial.store({ timeouts: { answerMs: 100 } })
    const uploadId = await store.multipart.create(key, { contentType })
    trial.server.uploads.get(uploadId)!.parts.set(1, { bytes: Buffer.alloc(7), sizeBytes: 7, etag: 'one' })
    trial.server.onRequest = async ({ operation }) => {
      if (operation === 'complete') await new Promise((resolve) => setTimeout(resolve, 300))
    }
    const parts = [{ partNumber: 1, sizeBytes: 7, etag: 'one' }]
    assert.equal(await store.multipart.complete(key, uploadId, parts), true)
    assert.equal(asked(trial, 'complete'), 1)
  })
})

describe('credentials of S3 from a function that does not say when they end', () => {
  const open = async () => {
    const trial = await openS3()
    let given = 0
    const credentials = () => {
      given++
      return Promise.resolve(trial.server.credentials)
    }
    const store = trial.store({ credentials })
    await put(store)
    return {
      trial,
      store,
      given: () => given,
      rotate: () => {
        trial.server.credentials = { accessKeyId: `AKIAROTATED${given}`, secretAccessKey: `another ${given}` }
      },
      [Symbol.asyncDispose]: () => trial[Symbol.asyncDispose](),
    }
  }

  it('are asked for once while they are good, whatever is done', async () => {
    await using stand = await open()
    await stand.store.head(key)
    await stand.store.copy(key, 'sealed/a')
    await stand.store.signPut('staging/b', { at: new Date(), ttlSeconds: 60, contentType, sizeBytes: 5 })
    assert.equal(stand.given(), 1)
  })

  it('are asked for again when the server does not know them any more, and the call goes on', async () => {
    await using stand = await open()
    const { store, rotate, given } = stand
    const calls: readonly (() => Promise<unknown>)[] = [
      () => store.read(key),
      () => store.copy(key, 'sealed/b'),
      () => collect(store.list('')),
      () => store.multipart.create('staging/parts', { contentType }),
      () => store.delete(key),
    ]
    for (const [index, call] of calls.entries()) {
      // A HEAD goes before a copy, and tells nothing but 403.
      if (index === 1) stand.trial.server.fail('copy', { status: 400, code: 'ExpiredToken' })
      else rotate()
      await call()
      assert.equal(given(), index + 2)
    }
    const { url } = await store.signPut('staging/b', { at: new Date(), ttlSeconds: 60, contentType, sizeBytes: 5 })
    assert.match(url, new RegExp(stand.trial.server.credentials.accessKeyId))
  })

  it('are asked for again when a HEAD answers 400, which is all that it can say', async () => {
    await using stand = await open()
    stand.trial.server.fail('head', { status: 400, code: 'ExpiredToken' })
    assert.equal((await stand.store.head(key))?.sizeBytes, 5)
    assert.equal(stand.given(), 2)
  })

  it('do not send a body twice: that call is refused, the next one is not', async () => {
    await using stand = await open()
    await stand.store.delete(key)
    stand.trial.server.fail('put', { status: 400, code: 'ExpiredToken' })
    await assert.rejects(put(stand.store), { code: 'storage_refused', message: /have run out.*says their `expiration`/ })
    assert.equal((await put(stand.store)).sizeBytes, 5)
    assert.equal(stand.given(), 2)
  })

  it('are refused when the fresh ones are no better, after one more attempt', async () => {
    await using stand = await open()
    stand.trial.server.fail('get', { status: 400, code: 'ExpiredToken' }, 2)
    await assert.rejects(stand.store.read(key), { code: 'storage_refused', message: /have run out/ })
    assert.equal(asked(stand.trial, 'get'), 2)
  })
})
