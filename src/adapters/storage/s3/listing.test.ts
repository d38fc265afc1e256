import assert from 'node:assert/strict'
import { it } from 'node:test'
import { collect, openS3, sourceOf } from '../../../../test/services/s3-trial.ts'

it('counts what a list gives no time for as too young to be taken away', async () => {
  await using trial = await openS3()
  const store = trial.store()
  await store.put('staging/a', sourceOf(Buffer.from('a')).stream, { contentType: 'text/plain', sizeBytes: 1 })
  await store.multipart.create('staging/b', { contentType: 'text/plain' })
  const dated = new Date('2026-01-01T00:00:00Z')
  assert.deepEqual(
    [(await collect(store.list('')))[0]?.modifiedAt, (await collect(store.multipart.list('')))[0]?.startedAt],
    [dated, dated],
  )
  trial.server.settings.hidesTimes = true
  const farAhead = Date.parse('9999-01-01T00:00:00Z')
  for (const time of [(await collect(store.list('')))[0]?.modifiedAt, (await collect(store.multipart.list('')))[0]?.startedAt])
    assert.ok(time && time.getTime() > farAhead, String(time))
})
