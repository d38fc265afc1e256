import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { startGateway } from '../../scripts/gateway.ts'
import { openBucket, skipWithoutGateway } from './bucket.ts'
import { descendants, isAlive } from './processes.ts'

describe('the gateway of the tests', { skip: skipWithoutGateway }, () => {
  it('gives every caller a bucket of its own, and takes back a full one', async () => {
    const [one, other] = [await openBucket({ versioned: true }), await openBucket()]
    const at = { Bucket: one.bucket, Key: 'a' }
    for (const Body of ['first', 'second']) await one.client.send(new PutObjectCommand({ ...at, Body }))
    await one.client.send(new DeleteObjectCommand(at))
    const { UploadId } = await one.client.send(new CreateMultipartUploadCommand(at))
    await one.client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: 'third' }))
    await one.close()

    await assert.rejects(other.client.send(new HeadBucketCommand({ Bucket: one.bucket })), { name: 'NotFound' })
    await other.client.send(new HeadBucketCommand({ Bucket: other.bucket }))
    await other.close()
  })

  it('looks at who asks', async () => {
    const mine = await openBucket()
    const at = { Bucket: mine.bucket, Key: 'a' }
    await mine.client.send(new PutObjectCommand({ ...at, Body: 'bytes' }))
    const { accessKeyId, secretAccessKey } = mine.credentials
    const wrong = { accessKeyId, secretAccessKey: secretAccessKey.toLowerCase() }
    const stranger = new S3Client({ endpoint: mine.endpoint, region: mine.region, credentials: wrong, forcePathStyle: true })
    await assert.rejects(stranger.send(new GetObjectCommand(at)), { name: 'SignatureDoesNotMatch' })
    assert.equal((await fetch(`${mine.endpoint}/${mine.bucket}/a`)).status, 403)
    stranger.destroy()
    await mine.close()
  })

  it('is gone with all its daemons after it was stopped', async () => {
    const gateway = await startGateway()
    const all = [gateway.pid, ...descendants(gateway.pid)]
    assert.equal(all.length, 4)
    assert.deepEqual(all.filter(isAlive), all)
    await gateway.stop()
    assert.deepEqual(all.filter(isAlive), [])
    await assert.rejects(fetch(gateway.endpoint))
  })

  it('does not outlive a starter that is killed, nor leaves files', async () => {
    const starter = spawn(process.execPath, ['--input-type=module', '--eval', starting], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = Number(String((await once(starter.stdout, 'data'))[0]).trim())
    const all = [pid, ...descendants(pid)]
    const folder = folderOf(pid)
    assert.ok(existsSync(folder))
    starter.kill('SIGKILL')
    await once(starter, 'exit')
    for (let patience = 100; all.some(isAlive) && patience > 0; patience--) await sleep(100)
    assert.deepEqual(all.filter(isAlive), [])
    assert.ok(!existsSync(folder))
  })

  it('loses its daemons with the process that holds them, even when that is killed', async () => {
    const gateway = await startGateway()
    const [daemons, folder] = [descendants(gateway.pid), folderOf(gateway.pid)]
    process.kill(gateway.pid, 'SIGKILL')
    for (let patience = 100; daemons.some(isAlive) && patience > 0; patience--) await sleep(100)
    assert.deepEqual(daemons.filter(isAlive), [])
    await gateway.stop()
    rmSync(folder, { recursive: true, force: true })
  })
})

const starting = `
import { startGateway } from ${JSON.stringify(new URL('../../scripts/gateway.ts', import.meta.url).href)}
console.log((await startGateway()).pid)
setInterval(() => {}, 1000)
`

/** Where the daemons keep their files: beside the configuration that each was told of. */
function folderOf(pid: number): string {
  const words = readFileSync(`/proc/${descendants(pid)[0]}/cmdline`, 'utf8').split('\0')
  const config = words.find((word) => word.endsWith('ceph.conf'))
  assert.ok(config)
  return dirname(config)
}
