import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, it } from 'node:test'
import { openS3, sourceOf, type S3Trial } from '../../../../test/services/s3-trial.ts'
import { isRindleError, RindleError } from '../../../core/errors.ts'
import type { StorageAdapter } from '../../../core/ports/storage.ts'
import { failureOf } from './failure.ts'

const contentType = 'image/png'
const body = () => sourceOf(Buffer.from('hello')).stream

/** Every way to call a storage, each on a key that is there. */
const calls: Readonly<Record<string, (store: StorageAdapter) => Promise<unknown>>> = {
  put: (store) => store.put('staging/new', body(), { contentType, sizeBytes: 5 }),
  head: (store) => store.head('staging/a'),
  read: (store) => store.read('staging/a'),
  copy: (store) => store.copy('staging/a', 'sealed/a'),
  delete: (store) => store.delete('staging/a'),
  list: async (store) => {
    for await (const _ of store.list('staging/')) break
  },
  'begin a multipart upload': (store) => store.multipart!.create('staging/parts', { contentType }),
}

const caught = async (run: () => Promise<unknown>): Promise<RindleError> => {
  const err: unknown = await run().then(
    () => new RangeError('nothing was thrown'),
    (problem: unknown) => problem,
  )
  assert.ok(isRindleError(err), String(err))
  return err
}

const open = async (): Promise<S3Trial> => {
  const trial = await openS3()
  await trial.store().put('staging/a', body(), { contentType, sizeBytes: 5 })
  return trial
}

/** Neither the sentence nor anything that a log would print of it. */
const assertNoSecret = (err: RindleError, { server }: S3Trial): void => {
  const { hostname, port } = new URL(server.endpoint)
  for (const secret of [server.credentials.secretAccessKey, 'AKIA', `${hostname}:${port}`]) {
    assert.ok(!err.message.includes(secret), err.message)
    assert.ok(!inspect(err, { depth: 10, showHidden: false }).includes(secret) || secret.startsWith(hostname), inspect(err, { depth: 10 }))
  }
}

describe('what S3 refuses until somebody looks after it', () => {
  const cases: readonly [string, (trial: S3Trial) => StorageAdapter, RegExp][] = [
    ['a bucket that is not there', (trial) => trial.store({ bucket: 'elsewhere' }), /no such bucket; check `bucket`/],
    [
      'another secret',
      ({ server, store }) => store({ credentials: { ...server.credentials, secretAccessKey: 'another' } }),
      /the secret key|check the credentials/,
    ],
    [
      'keys it does not know',
      ({ store }) => store({ credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'another' } }),
      /does not know these credentials|check the credentials/,
    ],
    ['another region', ({ store }) => store({ region: 'us-east-1' }), /check `region` and `endpoint`/],
    [
      'no credentials',
      ({ store }) =>
        store({ credentials: () => Promise.reject(Object.assign(new RangeError('none'), { name: 'CredentialsProviderError' })) }),
      /no credentials were found/,
    ],
  ]
  for (const [name, adapter, reason] of cases)
    it(name, async () => {
      await using trial = await open()
      for (const [operation, call] of Object.entries(calls)) {
        const err = await caught(() => call(adapter(trial)))
        assert.equal(err.code, 'storage_refused', `${operation}: ${err.message}`)
        assert.equal(err.retryable, false)
        assert.match(err.message, reason)
        assert.match(err.message, new RegExp(`^The storage s3:\\w+ refused to ${operation}: `))
        assertNoSecret(err, trial)
      }
    })

  const answers: readonly [number, string, RegExp][] = [
    [403, 'RequestTimeTooSkewed', /set the clock/],
    [403, 'AccessDenied', /access was denied.*without s3:ListBucket/],
    [400, 'ExpiredToken', /temporary credentials have run out/],
    [301, 'PermanentRedirect', /kept elsewhere; check `region` and `endpoint`/],
    [403, 'InvalidObjectState', /moved to an archive/],
    [501, 'NotImplemented', /does not know this call/],
  ]
  for (const [status, code, reason] of answers)
    it(`${status} ${code}`, async () => {
      await using trial = await open()
      trial.server.fail('get', { status, code }, 3)
      const err = await caught(() => trial.store().read('staging/a'))
      assert.equal(err.code, 'storage_refused')
      assert.match(err.message, reason)
      assertNoSecret(err, trial)
    })

  it('keeps to itself what a server repeats of the request, and what the SDK hides in its errors', () => {
    const told = new RangeError('denied: AWS4-HMAC-SHA256 Credential=AKIAQUOTED/20260101, Signature=0123')
    const hidden = { headers: { authorization: 'AKIAQUOTED' }, body: { request: 'AKIAQUOTED' } }
    Object.assign(told, { name: 'AccessDenied', $metadata: { httpStatusCode: 403 }, AWSAccessKeyId: 'AKIAQUOTED' })
    Object.defineProperty(told, '$response', { value: hidden, configurable: false })
    const err = failureOf(new RangeError('outer', { cause: told }), { operation: 'read', store: 's3:bucket' })
    assert.ok(isRindleError(err) && err.code === 'storage_failed')
    assert.ok(!inspect(err, { depth: 10, showHidden: true }).includes('AKIAQUOTED'))
    assert.match(String(told.stack), /^RangeError|^AccessDenied: what it says quotes the request.*\n +at /)
  })

  it('asks once for the bucket when a HEAD finds nothing, since both answers look the same', async () => {
    await using trial = await open()
    const store = trial.store()
    assert.equal(await store.head('staging/none'), null)
    assert.equal(await store.head('staging/none'), null)
    const asked = trial.server.requests.filter(({ operation }) => operation === 'head-bucket')
    assert.equal(asked.length, 1)
    const stranger = trial.store()
    trial.server.fail('head-bucket', { status: 403, code: 'AccessDenied' })
    assert.equal(await stranger.head('staging/none'), null)
  })
})

describe('what may go better next time', () => {
  it('a server that is down', async () => {
    const trial = await open()
    await trial[Symbol.asyncDispose]()
    for (const [operation, call] of Object.entries(calls)) {
      const err = await caught(() => call(trial.store()))
      assert.equal(err.code, 'storage_failed', operation)
      assert.equal(err.retryable, true)
      assertNoSecret(err, trial)
    }
  })

  it('a server that fails', async () => {
    await using trial = await open()
    for (const [operation, call] of Object.entries(calls)) {
      const asked = operation === 'read' ? 'get' : operation === 'begin a multipart upload' ? 'create-upload' : operation
      trial.server.fail(asked as 'put', { status: 500, code: 'InternalError' }, 3)
      const err = await caught(() => call(trial.store()))
      assert.equal(err.code, 'storage_failed', operation)
    }
  })

  it('ends with the reason of the signal, whatever the call was', async () => {
    await using trial = await open()
    const reason = new RindleError('lease_lost', {})
    for (const [, call] of Object.entries(calls)) {
      const controller = new AbortController()
      trial.server.onRequest = async () => {
        controller.abort(reason)
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
      const store = trial.store()
      const { signal } = controller
      const told: StorageAdapter = {
        ...store,
        put: (key, bytes, options) => store.put(key, bytes, { ...options, signal }),
        head: (key) => store.head(key, { signal }),
        read: (key) => store.read(key, { signal }),
        copy: (from, to) => store.copy(from, to, { signal }),
        delete: (key) => store.delete(key, { signal }),
        list: (prefix) => store.list(prefix, { signal }),
        multipart: { ...store.multipart, create: (key, options) => store.multipart.create(key, { ...options, signal }) },
      }
      assert.equal(await caught(() => call(told)), reason)
    }
  })
})
