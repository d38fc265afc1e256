import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { readdir, readFile, symlink } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { isRindleError } from '../../src/core/errors.ts'
import { limits, openPlace, quarters, recipe, type Place } from './fixtures/visits.ts'

/** Decoders that a process started, by /proc: its own children, and those that bubblewrap started for it. */
const decodersOf = async (parent: number): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const all = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return { pid, ppid, isDecoder: /^[^\0]*node\0/.test(command) && command.includes('jail/child'), isDead: stat.includes(') Z ') }
    }),
  )
  const parents = new Map(all.map(({ pid, ppid }) => [pid, ppid]))
  return all
    .filter(({ ppid, isDecoder, isDead }) => (isDecoder ? ppid === parent || parents.get(ppid) === parent : isDead && ppid === parent))
    .map(({ pid }) => pid)
}

const gone = async (pid: number): Promise<boolean> => {
  for (let tries = 0; tries < 100; tries++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
    if (stat === null || stat.includes(') Z ')) return true
    await sleep(50)
  }
  return false
}

const codeOf = (err: unknown): string => (isRindleError(err) ? err.code : String(err))

describe('the jail', () => {
  let place: Place
  let slow: Buffer
  const endless = { slow: recipe({ width: 3000, format: 'avif', effort: 9 }) }
  before(async () => {
    place = await openPlace()
    process.env['RINDLE_JAIL_TEST_SECRET'] = 'not for children'
    await place.jail.warm()
    slow = await sharp({
      create: { width: 3000, height: 2000, channels: 3, background: '#000', noise: { type: 'gaussian', mean: 120, sigma: 40 } },
    })
      .jpeg()
      .toBuffer()
  })
  after(() => place.close())

  it('gives a child the listed environment and nothing else', async () => {
    const [pid] = await decodersOf(process.pid)
    const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').filter(Boolean).sort()
    assert.deepEqual(environment, ['LANG=C.UTF-8', 'MALLOC_ARENA_MAX=1', 'PWD=/', 'UV_THREADPOOL_SIZE=4', 'VIPS_BLOCK_UNTRUSTED=1'])
    delete process.env['RINDLE_JAIL_TEST_SECRET']
  })

  it('limits memory, file size and core dumps, and offers the child to the kernel first', async () => {
    const [pid] = await decodersOf(process.pid)
    const text = await readFile(`/proc/${pid}/limits`, 'utf8')
    const softOf = (name: string): string | undefined =>
      text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.slice(26)
        .trim()
        .split(/\s+/)[0]
    assert.equal(softOf('Max core file size'), '0')
    assert.equal(softOf('Max file size'), String(1024 ** 3))
    assert.ok(Number(softOf('Max data size')) < 3 * 1024 ** 3, softOf('Max data size'))
    assert.equal((await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).trim(), '1000')
    assert.equal((await readdir(`/proc/${pid}/fd`)).length < 40, true)
  })

  it('keeps one warm child for many visits', async () => {
    const [before] = await decodersOf(process.pid)
    for (let visit = 0; visit < 3; visit++) await place.passing(await quarters(40, 40), 'a.png', { thumb: recipe({ width: 10 }) })
    assert.deepEqual(await decodersOf(process.pid), [before])
  })

  it('kills what takes longer than its time, and the next visit has a fresh child', async () => {
    const started = performance.now()
    const [before] = await decodersOf(process.pid)
    await assert.rejects(place.visit(slow, 'a.jpg', { recipes: endless, limits: { ...limits, timeoutMs: 1_200 } }), (err) =>
      /^decoder_(?:killed|starved)$/.test(codeOf(err)),
    )
    assert.ok(performance.now() - started < 4_000)
    assert.ok(await gone(before!))
    await place.passing(await quarters(40, 40), 'a.png', {})
    const [next] = await decodersOf(process.pid)
    assert.notEqual(next, before)
  })

  it('blames the machine when a child got too little of it, and the file when it used its time', async () => {
    await place.passing(await quarters(40, 40), 'a.png', {})
    const [pid] = await decodersOf(process.pid)
    const brief = { ...limits, timeoutMs: 2_500 }
    const stopped = place.visit(slow, 'a.jpg', { recipes: endless, limits: brief })
    await sleep(300)
    process.kill(pid!, 'SIGSTOP')
    await assert.rejects(
      stopped,
      (err) => isRindleError(err) && err.code === 'decoder_starved' && err.retryable && /seconds/.test(err.message),
    )
    assert.ok(await gone(pid!))
    let code = ''
    for (let tries = 0; tries < 10 && code !== 'decoder_killed'; tries++)
      code = await place.visit(slow, 'a.jpg', { recipes: endless, limits: brief }).then(() => 'pass', codeOf)
    assert.equal(code, 'decoder_killed', 'also on a machine that has other things to do, sooner or later')
  })

  it('takes no more notice of its twelfth death than of its first', async () => {
    const warned: string[] = []
    const note = (warning: Error): unknown => warned.push(String(warning))
    process.on('warning', note)
    for (let death = 0; death < 12; death++)
      await assert.rejects(place.visit(slow, 'a.jpg', { recipes: endless, limits: { ...limits, timeoutMs: 50 } }))
    await place.passing(await quarters(40, 40), 'a.png', {})
    process.off('warning', note)
    assert.deepEqual(warned, [])
  })

  it('stops for a signal, busy or waiting in line, with the reason of the signal', async () => {
    const busy = new AbortController()
    const waiting = new AbortController()
    const first = place.visit(slow, 'a.jpg', { recipes: endless, signal: busy.signal })
    const second = place.visit(slow, 'a.jpg', { recipes: endless, signal: waiting.signal })
    await sleep(300)
    waiting.abort()
    await assert.rejects(second, { name: 'AbortError' })
    busy.abort(new DOMException('the lease is gone', 'AbortError'))
    await assert.rejects(first, { message: 'the lease is gone' })
    await assert.rejects(place.visit(slow, 'a.jpg', { signal: AbortSignal.abort() }), { name: 'AbortError' })
    await place.passing(await quarters(40, 40), 'a.png', {})
  })

  it('says so when a child dies under a visit, and goes on with another', async () => {
    const visit = place.visit(slow, 'a.jpg', { recipes: endless })
    await sleep(400)
    const [pid] = await decodersOf(process.pid)
    process.kill(pid!, 'SIGKILL')
    await assert.rejects(visit, (err) => isRindleError(err) && err.code === 'decoder_killed' && err.message.includes('SIGKILL'))
    await place.passing(await quarters(40, 40), 'a.png', {})
  })

  it('replaces a child that died while it was idle', async () => {
    const [pid] = await decodersOf(process.pid)
    process.kill(pid!, 'SIGKILL')
    assert.ok(await gone(pid!))
    await sleep(20)
    await place.passing(await quarters(40, 40), 'a.png', {})
  })

  it('decodes large photos in far less memory than their pixels take', async () => {
    const grain = sharp({
      create: { width: 1008, height: 756, channels: 3, background: '#456', noise: { type: 'gaussian', mean: 120, sigma: 20 } },
    })
    const photo = await sharp(await grain.png().toBuffer())
      .resize(8064, 6048, { kernel: 'nearest' })
      .jpeg({ quality: 60 })
      .toBuffer()
    const fresh = await openPlace()
    try {
      const { facts, made } = await fresh.passing(photo, 'a.jpg', {
        large: recipe({ width: 2048, height: 2048 }),
        thumb: recipe({ width: 128 }),
      })
      assert.deepEqual([facts.width, facts.height, made['large']?.width], [8064, 6048, 2048])
      const all = await decodersOf(process.pid)
      const peaks = await Promise.all(
        all.map(async (pid) => Number(/VmHWM:\s*(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
      )
      assert.ok(Math.max(...peaks) < 400, `peak ${Math.max(...peaks)} MiB`)
    } finally {
      await fresh.close()
    }
  })

  it('refuses what would take more memory than is allowed, without harm to anybody', async () => {
    const tight = await openPlace({ maxDecodeBytes: 40 * 1024 * 1024 })
    try {
      const interlaced = await sharp({ create: { width: 5000, height: 4000, channels: 4, background: '#123' } })
        .png({ progressive: true, compressionLevel: 1 })
        .toBuffer()
      const recipes = { whole: recipe({ width: 5000, format: 'png', effort: 1 }) }
      const outcome = await tight.visit(interlaced, 'a.png', { recipes }).then(
        (verdict) => (verdict.verdict === 'refuse' ? verdict.code : 'pass'),
        (err: unknown) => codeOf(err),
      )
      assert.ok(['decode_too_large', 'decode_failed', 'decoder_killed'].includes(outcome), outcome)
      await tight.passing(await quarters(40, 40), 'a.png', {})
      await place.passing(interlaced, 'a.png', recipes)
    } finally {
      await tight.close()
    }
  })

  it('recycles a child after its number of visits', async () => {
    const worn = await openPlace({ visitsPerChild: 2 })
    try {
      const seen = new Set<number>()
      const others = new Set(await decodersOf(process.pid))
      for (let visit = 0; visit < 4; visit++) {
        await worn.jail.warm()
        for (const pid of await decodersOf(process.pid)) if (!others.has(pid)) seen.add(pid)
        await worn.passing(await quarters(20, 20), 'a.png', {})
      }
      assert.equal(seen.size, 2)
    } finally {
      await worn.close()
    }
  })

  it('opens a large WebP after a small one: nothing is granted for one file by another', async () => {
    const large = await sharp({ create: { width: 8064, height: 6048, channels: 3, background: '#456' } })
      .webp({ effort: 0 })
      .toBuffer()
    const dataLimit = async (): Promise<string | undefined> => {
      const [pid] = await decodersOf(process.pid)
      return /^Max data size\s+(\d+)/m.exec(await readFile(`/proc/${pid}/limits`, 'utf8'))?.[1]
    }
    await place.passing(await quarters(40, 40), 'a.png', {})
    const least = await dataLimit()
    const { facts } = await place.passing(large, 'a.webp', {})
    assert.deepEqual([facts.width, facts.height], [8064, 6048])
    for (let tries = 0; tries < 40 && (await dataLimit()) !== least; tries++) await sleep(25)
    assert.equal(await dataLimit(), least)
    await place.passing(large, 'a.webp', {})
  })

  it('has another child warm before the next visit asks for one, and none once it is closed', async () => {
    const worn = await openPlace({ visitsPerChild: 1 })
    const others = new Set(await decodersOf(process.pid))
    const ours = async (): Promise<number[]> => (await decodersOf(process.pid)).filter((pid) => !others.has(pid))
    try {
      await worn.jail.warm()
      const [first] = await ours()
      await worn.passing(await quarters(20, 20), 'a.png', {})
      for (let tries = 0; tries < 200 && (await ours()).length === 0; tries++) await sleep(25)
      const [second, ...more] = await ours()
      assert.ok(second && second !== first && more.length === 0, String([first, second, ...more]))
      await worn.passing(await quarters(20, 20), 'a.png', {})
    } finally {
      await worn.close()
    }
    await sleep(500)
    assert.deepEqual(await ours(), [])
  })

  it('does not believe a name that leads out of the job’s folder', async () => {
    const visit = place.visit(await quarters(40, 40), 'a.png', {
      folder: `${place.folder}/nowhere`,
      recipes: { thumb: recipe({ width: 10 }) },
    })
    await assert.rejects(visit, (err) => codeOf(err) === 'decoder_unavailable')
    await symlink('/etc', `${place.folder}/elsewhere`)
    const written = await place
      .visit(await quarters(40, 40), 'a.png', { folder: `${place.folder}/elsewhere/none`, recipes: { thumb: recipe({ width: 10 }) } })
      .catch(codeOf)
    assert.equal(written, 'decoder_unavailable')
  })

  it('ends its children with the parent, also when that is killed in the middle of a decode', async () => {
    const script = `
      import { openPlace, recipe } from ${JSON.stringify(new URL('./fixtures/visits.ts', import.meta.url).href)}
      import { readFileSync } from 'node:fs'
      const place = await openPlace()
      await place.jail.warm()
      void place.visit(readFileSync(process.argv[1]), 'a.jpg', { recipes: { slow: recipe({ width: 3000, format: 'avif', effort: 9 }) } })
      setTimeout(() => console.log('busy'), 400)
    `
    const source = `${place.folder}/slow.jpg`
    await (await import('node:fs/promises')).writeFile(source, slow)
    const parent = spawn(process.execPath, ['--conditions=rindle-source', '--input-type=module', '--eval', script, source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(parent.stdout, 'data')
    const children = await decodersOf(parent.pid!)
    assert.equal(children.length, 1)
    parent.kill('SIGKILL')
    assert.ok(await gone(children[0]!), 'the child outlived its parent')
  })

  it('says at the start that pictures will wait when sharp is not installed', async () => {
    const root = new URL('../../', import.meta.url).pathname
    const bare = mkdtempSync(join(tmpdir(), 'rindle-bare-'))
    for (const name of ['src', 'package.json']) cpSync(join(root, name), join(bare, name), { recursive: true })
    mkdirSync(join(bare, 'node_modules'))
    for (const name of readdirSync(join(root, 'node_modules')).filter((one) => one !== 'sharp' && one !== '@img'))
      symlinkSync(join(root, 'node_modules', name), join(bare, 'node_modules', name))
    const script = `
      import { createJail } from './src/adapters/processing/jail.ts'
      const warn = (fields, message) => console.log(fields.problem, message)
      const jail = createJail({ concurrency: 2, prlimit: null, logger: { debug() {}, info() {}, warn, error: warn } })
      await jail.warm()
      await jail.close()
    `
    const child = spawn(process.execPath, ['--conditions=rindle-source', '--input-type=module', '--eval', script], { cwd: bare })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(child, 'close')
    rmSync(bare, { recursive: true })
    assert.equal(said.match(/peer_missing decoders cannot open pictures, so they wait: npm install sharp/g)?.length, 1, said)
  })

  it('says nothing of children that were still starting when it is closed', async () => {
    const brief = await openPlace({ concurrency: 2 })
    const warming = brief.jail.warm()
    await brief.jail.close()
    await warming
    await brief.close()
  })

  it('leaves no child behind when it is closed, and refuses from then on', async () => {
    const brief = await openPlace({ concurrency: 2 })
    const others = new Set(await decodersOf(process.pid))
    await brief.jail.warm()
    const own = (await decodersOf(process.pid)).filter((pid) => !others.has(pid))
    assert.equal(own.length, 2)
    const busy = brief.visit(slow, 'a.jpg', { recipes: endless })
    const refused = assert.rejects(busy, (err) => codeOf(err) === 'decoder_unavailable')
    await sleep(200)
    await brief.jail.close()
    await refused
    assert.deepEqual(
      own.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    )
    await assert.rejects(
      brief.visit(slow, 'a.jpg'),
      (err) => codeOf(err) === 'decoder_unavailable' && /the jail was closed/.test(String(err)),
    )
    await assert.rejects(brief.jail.warm(), (err) => codeOf(err) === 'decoder_unavailable')
    assert.deepEqual(
      (await decodersOf(process.pid)).filter((pid) => !others.has(pid)),
      [],
    )
    await brief.close()
  })
})
