import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openBucket, skipWithoutGateway } from '../services/bucket.ts'

const program = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url))
const root = dirname(dirname(program))

interface Started {
  /** Where the page is. */
  readonly url: string
  readonly said: string
  /** As Ctrl-C does. */
  interrupt(): Promise<number | null>
}

/** Whatever names a bucket here is not for these tests. */
const { S3_BUCKET, S3_ENDPOINT, S3_PREFIX, S3_SERVICE, AWS_REGION, ...surroundings } = process.env

const run = (folder: string, env: NodeJS.ProcessEnv = {}) => {
  const args = ['--conditions=rindle-source', program, '--s3', '--port', '0', '--folder', folder]
  const child = spawn(process.execPath, args, { cwd: root, env: { ...surroundings, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  after(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  return { child, words: () => said }
}

const start = async (folder: string, env?: NodeJS.ProcessEnv): Promise<Started> => {
  const { child, words } = run(folder, env)
  while (!/Cohort is at \S+\n.*\n/.test(words())) {
    assert.equal(child.exitCode, null, words())
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { url: /Cohort is at (\S+)/.exec(words())?.[1] ?? '', said: words(), interrupt: () => ended(child, 'SIGINT') }
}

const ended = async (child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> => {
  const exit = once(child, 'exit')
  if (signal) child.kill(signal)
  await exit
  return child.exitCode
}

/** What a page does with one file, as far as the bucket. */
const send = async (url: string): Promise<{ readonly origin: string; readonly status: number; readonly letIn: string | null }> => {
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${url}/media/uploads${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).json()
  }
  const { session } = await post('', { profile: 'avatar', filename: 'me.png', byteSize: 5 })
  const { presigned } = await post(`/${session.id}/sign`, {})
  const answer = await fetch(presigned.url, { method: 'PUT', headers: { ...presigned.headers, origin: url }, body: 'bytes' })
  return { origin: new URL(presigned.url).origin, status: answer.status, letIn: answer.headers.get('access-control-allow-origin') }
}

/** The programs on this machine whose command line says so. */
const running = (words: string): readonly string[][] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLineOf(pid))
    .filter((line) => line.join(' ').includes(words))

const commandLineOf = (pid: string): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

describe('the demo on S3', { skip: skipWithoutGateway, timeout: 280_000 }, () => {
  let folder: string
  before(async () => void (folder = await mkdtemp(join(tmpdir(), 'cohort-start-'))))
  after(() => rm(folder, { recursive: true, force: true }))

  it('brings its own server, and takes it along with all that was kept when it is interrupted; then it starts again', async () => {
    for (const _ of ['first', 'again']) {
      const cohort = await start(folder)
      const endpoint = /bucket cohort at (http:\/\/[\d.:]+)\./.exec(cohort.said)?.[1] ?? ''
      assert.deepEqual(await send(cohort.url), { origin: endpoint, status: 200, letIn: cohort.url })
      const [gateway] = running(`beast endpoint=${endpoint.slice('http://'.length)}`)
      const config = gateway?.[gateway.indexOf('--conf') + 1] ?? ''
      assert.ok(config !== '' && running(config).length >= 3, 'the gateway, its monitor and its store')
      assert.equal(readdirSync(folder).length, 1)

      assert.equal(await cohort.interrupt(), 0)
      assert.deepEqual(running(config), [])
      assert.equal(existsSync(dirname(config)), false)
      assert.deepEqual(readdirSync(folder), [])
    }
  })

  it('uses the bucket that the environment names, and remembers what is in it', async () => {
    const bucket = await openBucket({ cors: [{ AllowedOrigins: ['*'], AllowedMethods: ['PUT'], AllowedHeaders: ['*'] }] })
    after(bucket.close)
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = bucket.credentials
    const named = { S3_BUCKET: bucket.bucket, S3_ENDPOINT: bucket.endpoint, AWS_REGION: bucket.region, S3_SERVICE: 'ceph' }
    const env = { ...named, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }
    const cohort = await start(folder, env)
    assert.ok(cohort.said.includes(`s3:${bucket.bucket}/cohort`), cohort.said)
    assert.deepEqual(await send(cohort.url), { origin: bucket.endpoint, status: 200, letIn: '*' })
    assert.equal(await cohort.interrupt(), 0)
    assert.deepEqual(readdirSync(folder), [`s3-${bucket.bucket}-cohort`])

    const stranger = run(folder, { ...env, AWS_SECRET_ACCESS_KEY: 'wrong' })
    assert.equal(await ended(stranger.child), 1)
    assert.match(stranger.words(), /^The storage s3:\S+ refused to/m)
  })

  it('asks for what is missing when the environment names half a bucket', async () => {
    const half = run(folder, { S3_BUCKET: 'cohort-media' })
    assert.equal(await ended(half.child), 1)
    assert.match(half.words(), /S3_BUCKET and AWS_REGION together/)
  })
})
