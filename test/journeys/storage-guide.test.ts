import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, it } from 'node:test'
import {
  CopyObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
} from '@aws-sdk/client-s3'
import { s3, type S3Options } from '../../src/adapters/storage/s3.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { openBucket, skipWithoutGateway, type TestBucket } from '../services/bucket.ts'

const guide = readFileSync(new URL('../../docs/guides/storage.md', import.meta.url), 'utf8')
const origin = 'https://cohort.example'
const bytes = new TextEncoder().encode('hello')

/** Every block of code in the guide, by what stands behind its fence. */
const blocksOf = (fence: string): string[] =>
  [...guide.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].filter(([, named]) => named === fence).map(([, , code]) => code ?? '')

/** A block of the guide, as it is pasted for this bucket. */
const pasted = (name: string, bucket: string) => {
  const [json, ...more] = blocksOf(`json ${name}`)
  assert.ok(json !== undefined && more.length === 0, `the guide has one block ${name}`)
  return JSON.parse(json.replaceAll(/cohort-(?:media|public)/g, bucket))
}

interface Statement {
  readonly Action: string | readonly string[]
}

/** The gateway knows policies of buckets only: the guide's policy of a role, for its guest. */
const forGuest = (policy: { readonly Statement: readonly Statement[] }, without?: string): string => {
  const statements = policy.Statement.map((statement) => ({
    ...statement,
    Action: [statement.Action].flat().filter((action) => action !== without),
    Principal: { AWS: 'arn:aws:iam:::user/guest' },
  }))
  return JSON.stringify({ ...policy, Statement: statements })
}

const opened = async (options: { readonly versioned?: boolean } = {}): Promise<TestBucket> => {
  const bucket = await openBucket(options)
  after(bucket.close)
  return bucket
}

const adapterOf = ({ bucket, endpoint, region, credentials }: TestBucket, more: Partial<S3Options> = {}): StorageAdapter =>
  s3({ bucket, endpoint, region, credentials, prefix: 'production', ...more })

const put = (adapter: StorageAdapter, key: string) =>
  adapter.put(key, new Blob([bytes]).stream(), { contentType: 'text/plain', sizeBytes: bytes.byteLength })

const ticket = async (adapter: StorageAdapter, key: string) => {
  const at = new Date(performance.timeOrigin + performance.now())
  const signed = await adapter.signPut?.(key, { at, ttlSeconds: 600, contentType: 'text/plain', sizeBytes: 5, sha256: '00'.repeat(32) })
  assert.ok(signed)
  return signed
}

/** Everything that the adapter ever asks of a bucket, also about what another user wrote, whom the server takes for its owner. */
const useEverything = async (adapter: StorageAdapter, other: StorageAdapter, folder: string): Promise<void> => {
  const { multipart } = adapter
  assert.ok(multipart && other.multipart)
  assert.equal(await adapter.head(`${folder}missing`), null)
  const { etag, version } = await put(other, `${folder}a`)
  assert.ok(await adapter.copy(`${folder}a`, `${folder}b`, { ifMatch: etag, ...(version === null ? {} : { version }) }))
  assert.equal(await new Response((await adapter.read(`${folder}a`))?.body).text(), 'hello')
  const keys: string[] = []
  for await (const { key } of adapter.list(folder)) keys.push(key)
  assert.deepEqual(keys, [`${folder}a`, `${folder}b`])
  for (const key of keys) await adapter.delete(key)

  const key = `${folder}parts`
  const at = new Date(performance.timeOrigin + performance.now())
  const [mine, begun] = [
    await multipart.create(key, { contentType: 'text/plain' }),
    await other.multipart.create(key, { contentType: 'text/plain' }),
  ]
  const { url, headers } = await multipart.signPart(key, { uploadId: mine, partNumber: 1, sizeBytes: 5, at, ttlSeconds: 600 })
  assert.equal((await fetch(url, { method: 'PUT', headers, body: bytes })).status, 200)
  assert.deepEqual(await multipart.listParts(key, begun), [])
  const uploads: string[] = []
  for await (const { uploadId } of multipart.list(folder)) uploads.push(uploadId)
  assert.deepEqual(uploads.toSorted(), [mine, begun].toSorted())
  await multipart.abort(key, begun)
  assert.ok(await multipart.complete(key, mine, (await multipart.listParts(key, mine)) ?? []))
  await adapter.delete(key)
}

describe('the storage guide', () => {
  it('shows calls that s3() takes', () => {
    const calls = blocksOf('ts')
    assert.ok(calls.length >= 5)
    const environment = { env: new Proxy({}, { get: () => 'a1b2c3' }) }
    for (const call of calls) {
      const storage: StorageAdapter = new Function('s3', 'process', `${call}; return storage`)(s3, environment)
      assert.match(storage.id, /^s3:cohort-(media|public)\/production$/)
    }
  })
})

describe('what the storage guide says to paste', { skip: skipWithoutGateway }, () => {
  it('lets pages of the named origins send what tickets bind, and nobody else', async () => {
    const bucket = await opened()
    await bucket.client.send(new PutBucketCorsCommand({ Bucket: bucket.bucket, CORSConfiguration: pasted('cors', bucket.bucket) }))
    const { url, headers } = await ticket(adapterOf(bucket), 'staging/a')
    const names = Object.keys(headers).filter((name) => name !== 'content-length')
    const preflight = (from: string, method: string, asked: readonly string[]) =>
      fetch(url, {
        method: 'OPTIONS',
        headers: { origin: from, 'access-control-request-method': method, 'access-control-request-headers': asked.toSorted().join(',') },
      })

    const answer = await preflight(origin, 'PUT', names)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('access-control-allow-origin'), origin)
    assert.match(answer.headers.get('access-control-allow-methods') ?? '', /PUT/)
    const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/, */)
    assert.deepEqual(
      names.filter((name) => !allowed.includes(name)),
      [],
    )
    assert.equal(names.length, 3)
    const sent = await fetch(url, { method: 'PUT', headers: { ...headers, origin }, body: bytes })
    assert.equal(sent.status, 200)
    assert.equal(sent.headers.get('access-control-allow-origin'), origin)

    assert.equal((await preflight('https://elsewhere.example', 'PUT', names)).status, 403)
    assert.equal((await preflight(origin, 'DELETE', names)).status, 403)
    assert.equal((await preflight(origin, 'PUT', [...names, 'x-amz-acl'])).status, 403)
  })

  for (const [name, versioned] of [
    ['lifecycle', false],
    ['lifecycle-versioned', true],
  ] as const)
    it(`has lifecycle rules that a server takes: ${name}`, async () => {
      const { client, bucket } = await opened({ versioned })
      const rules = pasted(name, bucket)
      await client.send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: rules }))
      const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))
      const abort = Rules.find(({ AbortIncompleteMultipartUpload: rule }) => rule !== undefined)
      assert.equal(abort?.AbortIncompleteMultipartUpload?.DaysAfterInitiation, 7)
      assert.deepEqual(
        Rules.map(({ Status, Filter }) => [Status, Filter?.Prefix]),
        Rules.map(() => ['Enabled', 'production/']),
      )
      assert.deepEqual(
        Rules.filter(({ Expiration }) => Expiration?.Days !== undefined || Expiration?.Date !== undefined),
        [],
      )
    })

  for (const [name, versioned] of [
    ['policy', false],
    ['policy-versioned', true],
  ] as const)
    it(`has a policy that allows everything that is needed below the prefix, and no more: ${name}`, async () => {
      const bucket = await opened({ versioned })
      const [owner, guest] = [adapterOf(bucket), adapterOf(bucket, { credentials: bucket.guest })]
      await assert.rejects(put(guest, 'unmanaged/early'), { code: 'storage_refused' })

      const policy = pasted(name, bucket.bucket)
      const allow = (Policy: string) => bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.bucket, Policy }))
      await allow(forGuest(policy))
      await useEverything(guest, owner, 'unmanaged/all/')
      await assert.rejects(put(adapterOf(bucket, { credentials: bucket.guest, prefix: 'staging' }), 'a'), { code: 'storage_refused' })

      const actions: string[] = policy.Statement.flatMap(({ Action }: Statement) => Action)
      const needless: string[] = []
      for (const action of actions) {
        await allow(forGuest(policy, action))
        const outcome = await useEverything(guest, owner, `unmanaged/${action.slice(3)}/`).then(
          () => 'needless',
          () => 'needed',
        )
        if (outcome === 'needless') needless.push(action)
      }
      assert.deepEqual(needless, [])
      await allow(forGuest(policy))
      await useEverything(guest, owner, 'unmanaged/again/')
    })

  it('opens what public profiles serve, and nothing that nobody has looked at', async () => {
    const bucket = await opened()
    const adapter = adapterOf(bucket)
    const address = (key: string): string => {
      assert.ok(adapter.publicUrl)
      return adapter.publicUrl(key)
    }
    const status = async (key: string): Promise<number> => {
      const answer = await fetch(address(key))
      await answer.arrayBuffer()
      return answer.status
    }
    const keys = ['sealed/a/b.png', 'variants/a/thumb/b.png', 'staging/a/b', 'unmanaged/a']
    for (const key of keys) await put(adapter, key)
    assert.deepEqual(await Promise.all(keys.map(status)), [403, 403, 403, 403])

    const Policy = JSON.stringify(pasted('policy-public', bucket.bucket))
    await bucket.client.send(new PutBucketPolicyCommand({ Bucket: bucket.bucket, Policy }))
    assert.deepEqual(await Promise.all(keys.map(status)), [200, 200, 403, 403])
    assert.equal((await fetch(`${bucket.endpoint}/${bucket.bucket}?prefix=production/sealed/`)).status, 403)
  })
})

describe('what the storage guide says of the gateway', { skip: skipWithoutGateway }, () => {
  it('refuses the second use of a ticket, unless the bucket keeps versions', async () => {
    for (const [versioned, second] of [
      [false, 412],
      [true, 200],
    ] as const) {
      const { url, headers } = await ticket(adapterOf(await opened({ versioned })), 'staging/a')
      const send = async (): Promise<number> => (await fetch(url, { method: 'PUT', headers, body: bytes })).status
      assert.deepEqual([await send(), await send()], [200, second])
    }
  })

  it('takes no notice of the condition of a copy, nor of the SHA-256 of a ticket', async () => {
    const { client, bucket, ...rest } = await opened()
    const { url, headers } = await ticket(adapterOf({ client, bucket, ...rest }), 'staging/a')
    assert.ok(headers['x-amz-checksum-sha256'])
    assert.equal((await fetch(url, { method: 'PUT', headers, body: bytes })).status, 200)
    const copy = { Bucket: bucket, Key: 'production/sealed/a', CopySource: `${bucket}/production/staging/a` }
    await client.send(new CopyObjectCommand({ ...copy, CopySourceIfMatch: '"00000000000000000000000000000000"' }))
  })
})
