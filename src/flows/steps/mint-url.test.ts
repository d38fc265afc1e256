import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../adapters/storage/memory.ts'
import { s3 } from '../../adapters/storage/s3.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import { decodableImageTypes, inertTypes } from '../../core/content-type.ts'
import { createKeyRing } from '../../core/key-ring.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { defineProfile } from '../../core/profile-definition.ts'
import { createSettableClock } from '../../testing/clock.ts'
import { mintUrl, type UrlOptions } from './mint-url.ts'

const bucket = s3({
  bucket: 'photos',
  region: 'eu-central-1',
  prefix: 'production',
  publicBaseUrl: 'https://cdn.example.com',
  credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' },
})
const { signGet, publicUrl, ...rest } = bucket
const unpublished: StorageAdapter = {
  ...rest,
  signGet: signGet!,
  capabilities: new Set(['signed_url', 'presigned_put', 'multipart_upload']),
}

const trial = (storage: StorageAdapter, options: { readonly open: boolean; readonly kind?: 'file' }) => {
  const clock = createSettableClock()
  const { kind = 'media', open } = options
  const profile = defineProfile({ kind, storage, allowMime: ['image/png'], maxBytes: 1_000, delivery: { public: open } })
  const stores = createStores({ profiles: { photo: profile } })
  const keys = createKeyRing(['a secret of at least thirty-two characters'])
  const object = { id: 'o', store: storage.id, key: 'sealed/a/o.png', contentType: 'image/png', byteSize: 10 }
  const warnings: object[] = []
  const quiet = (): void => undefined
  const logger = { debug: quiet, info: quiet, error: quiet, warn: (fields: object) => void warnings.push(fields) }
  const url = (wish: UrlOptions = {}) =>
    mintUrl(
      { stores, keys, clock, logger, baseUrl: 'https://app.example/media' },
      profile,
      { name: null, object, filename: 'Zoë.png' },
      wish,
    )
  return { clock, url, warnings }
}

const queryOf = (address: string): Record<string, string> => Object.fromEntries(new URL(address).searchParams)

describe('the address of a stored object', () => {
  it('is unsigned, and for ever the same, for what a public profile may show', async () => {
    const { clock, url } = trial(bucket, { open: true })
    assert.equal(await url(), 'https://cdn.example.com/production/sealed/a/o.png')
    clock.advance(30 * 86_400)
    assert.equal(await url({ expiresInSeconds: 60 }), 'https://cdn.example.com/production/sealed/a/o.png')
  })

  it('is signed for a week where it has to carry a disposition or a name, and the same all day', async () => {
    const { clock, url } = trial(bucket, { open: true })
    for (const [wish, disposition] of [
      [{ disposition: 'attachment' }, 'attachment'],
      [{ filename: 'me.png' }, 'inline'],
    ] as const) {
      const address = await url(wish)
      const query = queryOf(address)
      assert.equal(query['X-Amz-Expires'], '604800')
      assert.match(query['X-Amz-Date'] ?? '', /T000000Z$/)
      assert.match(query['response-content-disposition'] ?? '', new RegExp(`^${disposition}; filename="`))
      assert.equal(query['response-content-type'], 'image/png')
      clock.advance(60)
      assert.equal(await url(wish), address)
    }
  })

  it('is signed for all files of a profile that decodes nothing', async () => {
    const { url } = trial(bucket, { open: true, kind: 'file' })
    assert.match(queryOf(await url())['response-content-disposition'] ?? '', /^attachment; filename="Zoe\.png"/)
  })

  it('is unsigned only where what is stored can be of no type that runs', () => {
    assert.deepEqual(
      [...decodableImageTypes].filter((type) => !inertTypes.has(type)),
      [],
    )
  })

  it('ends for a private profile, after the time that was asked for', async () => {
    const { url } = trial(bucket, { open: false })
    const query = queryOf(await url({ expiresInSeconds: 60 }))
    assert.deepEqual([query['X-Amz-Expires'], query['X-Amz-Date']], ['60', '20260101T120000Z'])
    assert.match(query['response-content-disposition'] ?? '', /^inline; filename="Zoe\.png"/)
  })

  it('ends with the credentials that sign it, which is said once for each store', async () => {
    const expiration = new Date('2026-01-01T12:06:00Z')
    const role = (name: string) => {
      const credentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token', expiration }
      return s3({ bucket: name, region: 'eu-central-1', credentials })
    }
    const open = trial(role('photos'), { open: true })
    const { 'X-Amz-Date': signed, 'X-Amz-Expires': seconds } = queryOf(await open.url({ filename: 'me.png' }))
    assert.deepEqual([signed, seconds], ['20260101T000000Z', String(12 * 3_600 + 360)])
    await open.url({ filename: 'me.png' })
    const said = { event: 'url_cut_short', store: 's3:photos', public: true, askedSeconds: 604_800, livesSeconds: 360 }
    assert.deepEqual(open.warnings, [said])

    const closed = trial(role('letters'), { open: false })
    await closed.url({ expiresInSeconds: 360 })
    assert.deepEqual(closed.warnings, [])
    await closed.url({ expiresInSeconds: 361 })
    await closed.url({ expiresInSeconds: 600 })
    assert.deepEqual(closed.warnings, [{ ...said, store: 's3:letters', public: false, askedSeconds: 361 }])
  })

  it('is refused for a public profile whose store serves nothing unsigned', async () => {
    const { url } = trial(unpublished, { open: true })
    for (const wish of [{}, { disposition: 'attachment' }] as const)
      await assert.rejects(url(wish), { code: 'delivery_unsupported', details: { capability: 'public_url', store: bucket.id } })
  })

  it('is our own door’s where the store is hosted', async () => {
    for (const open of [true, false]) assert.match(await trial(memory(), { open }).url(), /^https:\/\/app\.example\/media\/objects\/./)
  })
})
