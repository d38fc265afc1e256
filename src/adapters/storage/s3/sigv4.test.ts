import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GetObjectCommand, PutObjectCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createRandom, type Random } from '../../../../test/services/random.ts'
import { encodeKey } from './address.ts'
import type { S3Credentials } from './options.ts'
import { presign, type RequestToPresign, signatureOf, signingOf } from './sigv4.ts'

/** Published by AWS with the description of query-string authentication. */
const published = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const publishedRequest: RequestToPresign = {
  method: 'GET',
  origin: 'https://examplebucket.s3.amazonaws.com',
  host: 'examplebucket.s3.amazonaws.com',
  path: '/test.txt',
  query: {},
  headers: {},
  at: new Date('2013-05-24T00:00:00Z'),
  ttlSeconds: 86_400,
  region: 'us-east-1',
}

const host = 'bucket.s3.eu-central-1.amazonaws.com'
const letters = [
  'a',
  'Z',
  '0',
  '9',
  '-',
  '_',
  '.',
  '~',
  ' ',
  '+',
  '%',
  '&',
  '=',
  '?',
  '#',
  '!',
  "'",
  '(',
  ')',
  '*',
  ':',
  ',',
  'ü',
  '漢',
  '🌊',
  '/x',
]
const textOf = (random: Random, longest: number): string =>
  Array.from({ length: 1 + random.int(longest) }, () => random.pick(letters)).join('')
const headerOf = (random: Random): string =>
  Array.from({ length: 1 + random.int(20) }, () => random.pick(['a', 'Z', '/', ';', '=', '"', ' ', '  ', '+'])).join('') + 'x'
const maybe = (random: Random, values: Readonly<Record<string, () => string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (random.chance(0.6) ? [[name, value()]] : [])))

type Sign = (client: S3Client, options: Parameters<typeof getSignedUrl>[2]) => Promise<string>

/** One random request, as the SDK is asked for it and as we are. */
const trials: readonly ((
  random: Random,
  key: string,
) => {
  readonly theirs: Sign
  readonly ours: Pick<RequestToPresign, 'method' | 'query' | 'headers'>
})[] = [
  (random, Key) => {
    const query = maybe(random, {
      'response-cache-control': () => textOf(random, 10),
      'response-content-disposition': () => textOf(random, 40),
      'response-content-type': () => textOf(random, 20),
      versionId: () => textOf(random, 20),
    })
    const input = {
      ResponseCacheControl: query['response-cache-control'],
      ResponseContentDisposition: query['response-content-disposition'],
      ResponseContentType: query['response-content-type'],
      VersionId: query['versionId'],
    }
    const theirs: Sign = (client, options) => getSignedUrl(client, new GetObjectCommand({ Bucket: 'bucket', Key, ...input }), options)
    return { theirs, ours: { method: 'GET', query: { ...query, 'x-id': 'GetObject' }, headers: {} } }
  },
  (random, Key) => {
    const headers: Record<string, string> = {
      'content-length': String(random.int(5_000_000)),
      'content-type': headerOf(random),
      ...maybe(random, {
        'cache-control': () => headerOf(random),
        'if-none-match': () => '*',
        'x-amz-checksum-sha256': () => Buffer.from(random.bytes(32)).toString('base64'),
      }),
    }
    const input = {
      CacheControl: headers['cache-control'],
      ContentLength: Number(headers['content-length']),
      ContentType: headers['content-type'],
      IfNoneMatch: headers['if-none-match'],
      ChecksumSHA256: headers['x-amz-checksum-sha256'],
    }
    const theirs: Sign = (client, options) => getSignedUrl(client, new PutObjectCommand({ Bucket: 'bucket', Key, ...input }), options)
    return { theirs, ours: { method: 'PUT', query: { 'x-id': 'PutObject' }, headers } }
  },
  (random, Key) => {
    const partNumber = 1 + random.int(10_000)
    const uploadId = textOf(random, 60)
    const size = random.int(5_000_000_000)
    const theirs: Sign = (client, options) =>
      getSignedUrl(
        client,
        new UploadPartCommand({ Bucket: 'bucket', Key, UploadId: uploadId, PartNumber: partNumber, ContentLength: size }),
        options,
      )
    const query = { partNumber: String(partNumber), uploadId, 'x-id': 'UploadPart' }
    return { theirs, ours: { method: 'PUT', query, headers: { 'content-length': String(size) } } }
  },
]

const credentialsOf = (random: Random): S3Credentials => ({
  accessKeyId: `AKIA${random.int(1_000_000)}`,
  secretAccessKey: Buffer.from(random.bytes(30)).toString('base64'),
  ...(random.chance(0.5) ? { sessionToken: Buffer.from(random.bytes(200)).toString('base64') } : {}),
})

/** The same address, whatever the order of its parameters. */
const partsOf = (address: string): unknown => {
  const { origin, pathname, search } = new URL(address)
  return { origin, pathname, query: search.slice(1).split('&').sort() }
}

const withoutChecksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const

describe('signing by Signature Version 4', () => {
  it('gives the published signature of the published request', () => {
    const canonical = [
      'GET',
      '/test.txt',
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
        '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host',
      'host:examplebucket.s3.amazonaws.com',
      '',
      'host',
      'UNSIGNED-PAYLOAD',
    ].join('\n')
    const signature = signatureOf(canonical, signingOf(publishedRequest, published))
    assert.equal(signature, 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404')
  })

  it('signs anew for every part of what is signed', () => {
    const changes: readonly Partial<RequestToPresign>[] = [
      { method: 'PUT' },
      { host: 'other.s3.amazonaws.com' },
      { path: '/test.tx' },
      { query: { versionId: '1' } },
      { headers: { 'content-length': '1' } },
      { at: new Date('2013-05-24T00:00:01Z') },
      { at: new Date('2013-05-25T00:00:00Z') },
      { ttlSeconds: 86_399 },
      { region: 'us-east-2' },
    ]
    const signatures = changes.map((change) => presign({ ...publishedRequest, ...change }, published))
    const others = [
      presign(publishedRequest, { ...published, secretAccessKey: `${published.secretAccessKey}x` }),
      presign(publishedRequest, { ...published, accessKeyId: 'AKIAOTHER' }),
      presign(publishedRequest, { ...published, sessionToken: 'token' }),
      presign(publishedRequest, published),
    ]
    const all = [...signatures, ...others].map((address) => address.slice(address.indexOf('X-Amz-Signature=')))
    assert.equal(new Set(all).size, all.length)
  })

  it('signs what the SDK signs, for any key, query, headers, credentials and time', async () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = createRandom(seed)
      const credentials = credentialsOf(random)
      const key = `k${textOf(random, 30)}`
      const at = new Date(random.int(2 ** 31) * 1000 + random.int(1000))
      const ttlSeconds = 1 + random.int(604_800)
      const { theirs, ours } = random.pick(trials)(random, key)
      const address = presign(
        {
          ...ours,
          origin: `https://${host}`,
          host,
          path: `/${encodeKey(key)}`,
          at,
          ttlSeconds,
          region: 'eu-central-1',
        },
        credentials,
      )
      const client = new S3Client({ region: 'eu-central-1', credentials, ...withoutChecksums })
      const bound = new Set([...Object.keys(ours.headers), 'host'])
      const options = { expiresIn: ttlSeconds, signingDate: at, signableHeaders: bound, unhoistableHeaders: bound }
      assert.deepEqual(partsOf(address), partsOf(await theirs(client, options)), `seed ${seed}`)
    }
  })

  it('goes on signing right when credentials and days alternate', () => {
    const requests = Array.from({ length: 40 }, (_, index) => ({ ...publishedRequest, at: new Date(Date.UTC(2030, 0, 1 + index)) }))
    const first = requests.map((request) => presign(request, published))
    assert.deepEqual(
      requests.map((request) => presign(request, published)),
      first,
    )
    assert.equal(new Set(first).size, requests.length)
  })
})
