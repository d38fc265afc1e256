import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RindleError } from '../../core/errors.ts'
import { errorResponse } from './answers.ts'

const told = async (err: unknown) => {
  const response = errorResponse(err)
  const { error } = (await response.json()) as { error: { code: string; message: string; details: object; retryable: boolean } }
  return { status: response.status, ...error }
}

describe('what strangers are told of an error', () => {
  const generic = new RindleError('internal_error', {}).message

  for (const err of [
    new RindleError('schema_version_mismatch', { found: 'at version 3', expected: 'version 4' }),
    new RindleError('scanner_unavailable', { scanner: 'clamav', problem: '10.0.0.7:3310 does not answer' }),
    new RindleError('storage_failed', { operation: 'put', store: 's3:private-bucket' }),
  ])
    it(`is its code alone where it is our own trouble: ${err.code}`, async () => {
      assert.deepEqual(await told(err), { status: err.status, code: err.code, message: generic, details: {}, retryable: err.retryable })
    })

  for (const err of [
    new RindleError('object_key_reserved', { key: 'sealed/a/b.png' }),
    new RindleError('upload_unsupported', { capability: 'presigned_put', store: 'local:/srv/files' }),
  ])
    it(`is no key and no store: ${err.code}`, async () => {
      const { status, details, message } = await told(err)
      assert.deepEqual({ status, details }, { status: err.status, details: {} })
      for (const secret of Object.values(err.details)) assert.ok(!message.includes(String(secret)), message)
    })

  it('is all of it where it is about what they sent', async () => {
    const { code, details, message } = await told(new RindleError('upload_too_large', { maxBytes: 5, actualBytes: 6 }))
    assert.deepEqual({ code, details }, { code: 'upload_too_large', details: { maxBytes: 5, actualBytes: 6 } })
    assert.match(message, /6/)
  })

  it('is nothing of what is no error of ours', async () => {
    const { status, code, message, details } = await told(new TypeError('secret is undefined'))
    assert.deepEqual({ status, code, message, details }, { status: 500, code: 'internal_error', message: generic, details: {} })
  })
})
