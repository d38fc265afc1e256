import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { collect, openS3, type S3Trial, sourceOf } from '../../../../test/services/s3-trial.ts'
import { decoded } from './listing.ts'

const contentType = 'image/png'
const put = (trial: S3Trial, key: string) =>
  trial.store().put(key, sourceOf(Buffer.from(key)).stream, { contentType, sizeBytes: Buffer.byteLength(key) })

describe('deleting from S3', () => {
  it('deletes by one request where the bucket keeps no versions', async () => {
    await using trial = await openS3()
    await put(trial, 'staging/a')
    await trial.store().delete('staging/a')
    await trial.store().delete('staging/a')
    assert.equal(trial.server.objects.size, 0)
    assert.deepEqual(trial.server.requests.map(({ operation }) => operation).slice(1), ['delete', 'delete'])
  })

  it('deletes every version and every marker of that key, over pages, and of no other', async () => {
    await using trial = await openS3()
    trial.server.settings.versioned = true
    trial.server.settings.heedsConditions = false
    trial.server.settings.pageSize = 2
    for (let version = 0; version < 5; version++)
      for (const key of ['unmanaged/a b+', 'unmanaged/a b+c', 'unmanaged/a']) await put(trial, key)
    await trial.store().delete('unmanaged/a b+')
    assert.deepEqual(
      [...trial.server.objects].map(([key, versions]) => [key, versions.length]),
      [
        ['unmanaged/a b+c', 5],
        ['unmanaged/a', 5],
      ],
    )
  })

  it('leaves no marker of what was not there', async () => {
    await using trial = await openS3()
    trial.server.settings.versioned = true
    await trial.store().delete('staging/never')
    assert.equal(trial.server.objects.size, 0)
  })

  it('finishes later what was cut short', async () => {
    await using trial = await openS3()
    trial.server.settings.versioned = true
    await put(trial, 'staging/a')
    trial.server.fail('list-versions', { status: 500, code: 'InternalError' }, 3)
    await assert.rejects(trial.store().delete('staging/a'), { code: 'storage_failed' })
    assert.equal(trial.server.objects.get('staging/a')!.length, 2)
    await trial.store().delete('staging/a')
    assert.equal(trial.server.objects.size, 0)
  })
})

describe('listing S3', () => {
  const names = ['staging/a', 'unmanaged/Zoë & <b>+ 漢.png', 'unmanaged/a b', 'unmanaged/a\u0001b', 'unmanaged/a%41']

  it('lists what lies below its prefix, page by page, under the names without it', async () => {
    await using trial = await openS3()
    trial.server.settings.pageSize = 2
    for (const name of names) trial.server.pretend(`production/${name}`, 7, 'e')
    trial.server.pretend('unmanaged/elsewhere', 7, 'e')
    const store = trial.store({ prefix: 'production' })
    const listed = await collect(store.list('unmanaged/'))
    const sorted = [...names.slice(1)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
    assert.deepEqual(
      listed.map(({ key }) => key),
      sorted,
    )
    assert.ok(listed.every(({ sizeBytes, modifiedAt }) => sizeBytes === 7 && modifiedAt.getTime() === Date.UTC(2026, 0, 1)))
  })

  it('takes a name that is not encoded although the server says so for what it is', () => {
    assert.deepEqual(
      ['a%20b+c', '50%', '%E0%A4%A'].map((name) => decoded(name, 'url')),
      ['a b c', '50%', '%E0%A4%A'],
    )
    assert.equal(decoded('a%20b+c', undefined), 'a%20b+c')
  })

  it('asks again for a page that failed, three times in all', async () => {
    await using trial = await openS3()
    trial.server.pretend('staging/a', 7, 'e')
    trial.server.fail('list', { status: 500, code: 'InternalError' }, 2)
    assert.equal((await collect(trial.store().list(''))).length, 1)
    trial.server.fail('list', { status: 500, code: 'InternalError' }, 3)
    await assert.rejects(collect(trial.store().list('')), {
      code: 'storage_failed',
      details: { operation: 'list', store: 's3:bucket' },
    })
  })
})
