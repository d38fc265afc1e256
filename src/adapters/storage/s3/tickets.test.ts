import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openS3, s3With } from '../../../../test/services/s3-trial.ts'
import type { S3Credentials, S3Options } from './options.ts'

const at = new Date('2026-01-01T12:00:00.789Z')
const keys = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' }
const usual: S3Options = { bucket: 'photos', region: 'eu-central-1', credentials: keys }
const put = { at, ttlSeconds: 900, contentType: 'image/png', sizeBytes: 7 }
const queryOf = (address: string): Record<string, string> => Object.fromEntries(new URL(address).searchParams)
const signPut = (options: Partial<S3Options> = {}, key = 'staging/a') => s3With({ ...usual, ...options }).signPut!(key, put)

describe('tickets of S3', () => {
  it('bind length, type, create-only and the checksum that was announced', async () => {
    const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    const { url, method, headers, expiresAt } = await s3With(usual).signPut!('staging/a', { ...put, sha256 })
    assert.equal(method, 'PUT')
    assert.deepEqual(headers, {
      'content-length': '7',
      'content-type': 'image/png',
      'if-none-match': '*',
      'x-amz-checksum-sha256': '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
    })
    const query = queryOf(url)
    assert.equal(query['X-Amz-SignedHeaders'], 'content-length;content-type;host;if-none-match;x-amz-checksum-sha256')
    assert.deepEqual([query['X-Amz-Date'], query['X-Amz-Expires']], ['20260101T120000Z', '900'])
    assert.equal(expiresAt.getTime(), at.getTime() + 900_000)
  })

  it('name what may not come, for a server that takes what nobody signed', async () => {
    const ceph = { endpoint: 'http://gateway:8080', service: 'ceph' } as const
    const { url, headers } = await signPut(ceph)
    const named = queryOf(url)['X-Amz-SignedHeaders']!.split(';')
    for (const name of ['x-amz-copy-source', 'x-amz-acl', 'x-amz-grant-read', 'content-encoding']) assert.ok(named.includes(name), name)
    assert.deepEqual(named, [...named].sort())
    assert.deepEqual(Object.keys(headers), ['content-length', 'content-type', 'if-none-match'])
    const get = { at, ttlSeconds: 60, contentType: 'image/png', contentDisposition: 'inline' }
    assert.equal(queryOf((await s3With({ ...usual, ...ceph }).signGet!('sealed/a', get)).url)['X-Amz-SignedHeaders'], 'host')
    const { endpoint } = ceph
    assert.equal(queryOf((await signPut({ endpoint })).url)['X-Amz-SignedHeaders'], 'content-length;content-type;host;if-none-match')
  })

  it('are for the address that browsers use', async () => {
    const placeOf = async (options: Partial<S3Options>, key?: string): Promise<string> => (await signPut(options, key)).url.split('?')[0]!
    assert.equal(await placeOf({}), 'https://photos.s3.eu-central-1.amazonaws.com/staging/a')
    assert.equal(await placeOf({ prefix: 'production/eu' }), 'https://photos.s3.eu-central-1.amazonaws.com/production/eu/staging/a')
    assert.equal(await placeOf({ forcePathStyle: true }), 'https://s3.eu-central-1.amazonaws.com/photos/staging/a')
    assert.equal(await placeOf({ bucket: 'my.photos' }), 'https://s3.eu-central-1.amazonaws.com/my.photos/staging/a')
    assert.equal(await placeOf({ region: 'cn-north-1' }), 'https://photos.s3.cn-north-1.amazonaws.com.cn/staging/a')
    assert.equal(await placeOf({ endpoint: 'http://minio:9000' }), 'http://minio:9000/photos/staging/a')
    assert.equal(await placeOf({ endpoint: 'http://minio:9000', forcePathStyle: false }), 'http://photos.minio:9000/staging/a')
    const both = { endpoint: 'http://minio:9000', publicEndpoint: 'https://files.example.com:443/s3/' }
    assert.equal(await placeOf(both), 'https://files.example.com/s3/photos/staging/a')
    assert.equal(
      await placeOf({}, "unmanaged/Zoë (1) +'*!~.png"),
      'https://photos.s3.eu-central-1.amazonaws.com/unmanaged/Zo%C3%AB%20%281%29%20%2B%27%2A%21~.png',
    )
  })

  it('carry the token of temporary credentials, and end with them', async () => {
    const expiration = new Date(at.getTime() + 60_999)
    const temporary = { ...keys, sessionToken: 'a token/+=', expiration }
    const { url, expiresAt } = await signPut({ credentials: temporary })
    assert.equal(queryOf(url)['X-Amz-Security-Token'], 'a token/+=')
    assert.equal(queryOf(url)['X-Amz-Expires'], '60')
    assert.ok(expiresAt <= expiration)
    await assert.rejects(signPut({ credentials: { ...temporary, expiration: at } }), { code: 'storage_refused' })
  })

  it('are signed with what a function gives, which is asked again when that runs out', async () => {
    let asked = 0
    const credentials = (): Promise<S3Credentials> => {
      asked++
      const expiration = new Date(Date.now() + (asked === 1 ? 1_000 : 3_600_000))
      return Promise.resolve({ accessKeyId: `AKIA${asked}`, secretAccessKey: 'secret', sessionToken: 't', expiration })
    }
    const store = s3With({ ...usual, credentials })
    const now = { ...put, at: new Date() }
    const keyIds: string[] = []
    for (let time = 0; time < 3; time++) {
      keyIds.push(queryOf((await store.signPut!('staging/a', now)).url)['X-Amz-Credential']!.split('/')[0]!)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.equal(keyIds.at(-1), 'AKIA2')
    assert.equal(asked, 2)
  })

  it('come from credentials whose token every request carries', async () => {
    await using trial = await openS3({ sessionToken: 'the token' })
    assert.equal(await trial.store().head('staging/a'), null)
    const { accessKeyId, secretAccessKey } = trial.server.credentials
    await assert.rejects(trial.store({ credentials: { accessKeyId, secretAccessKey } }).read('staging/a'), { code: 'storage_refused' })
  })

  it('name the part, the upload and its length', async () => {
    const { url, headers } = await s3With(usual).multipart!.signPart('staging/a', {
      uploadId: 'u/+',
      partNumber: 3,
      sizeBytes: 9,
      at,
      ttlSeconds: 60,
    })
    assert.deepEqual(headers, { 'content-length': '9' })
    const query = queryOf(url)
    assert.deepEqual([query['partNumber'], query['uploadId'], query['X-Amz-SignedHeaders']], ['3', 'u/+', 'content-length;host'])
  })
})

describe('public addresses of S3', () => {
  it('are the bucket’s own, or below the one that was given', () => {
    const placeOf = (options: Partial<S3Options>): string =>
      s3With({ ...usual, prefix: 'production', ...options }).publicUrl!('sealed/a b.png')
    assert.equal(placeOf({}), 'https://photos.s3.eu-central-1.amazonaws.com/production/sealed/a%20b.png')
    assert.equal(placeOf({ publicEndpoint: 'https://files.example.com' }), 'https://photos.files.example.com/production/sealed/a%20b.png')
    assert.equal(placeOf({ publicBaseUrl: 'https://cdn.example.com/' }), 'https://cdn.example.com/production/sealed/a%20b.png')
  })
})

describe('the options of S3', () => {
  it('name the store by bucket and prefix', () => {
    assert.equal(s3With(usual).id, 's3:photos')
    assert.equal(s3With({ ...usual, prefix: 'production/eu' }).id, 's3:photos/production/eu')
  })

  it('claim conditional copies where the server makes sure of them', () => {
    const claims = (options: Partial<S3Options>): boolean => s3With({ ...usual, ...options }).capabilities.has('conditional_copy')
    const endpoint = 'http://minio:9000'
    assert.deepEqual([claims({}), claims({ endpoint }), claims({ endpoint, conditionalCopy: true })], [true, false, true])
  })

  it('are refused all at once', () => {
    const wrong = {
      ...{ bucket: 'Photos_1', region: '', prefix: '/x/../y', endpoint: 'minio:9000', publicEndpoint: 'https://a:b@c.example' },
      ...{ publicBaseUrl: 'cdn', service: 'minio' as 'other', timeouts: { connectMs: 0 } },
    }
    const told =
      /bucket must.*; region must.*; prefix must.*; endpoint must.*; publicEndpoint must.*; publicBaseUrl must.*; service must.*; timeouts\.connectMs/
    assert.throws(() => s3With({ ...usual, ...wrong }), { code: 'argument_invalid', message: told })
  })

  it('leave room for the longest key, or say that they do not', async () => {
    const store = s3With({ ...usual, prefix: 'production' })
    await assert.rejects(store.head(`unmanaged/${'x'.repeat(1_010)}`), { code: 'object_key_invalid' })
  })
})
