import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp, { type Sharp } from 'sharp'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { type ChildFolder, makeChildFolder } from '../../src/adapters/processing/jail/child-folder.ts'
import { decoderEntry } from '../../src/adapters/processing/jail/launch.ts'
import { childEnvironment } from '../../src/adapters/processing/jail/limits.ts'
import { findProgram } from '../../src/adapters/processing/jail/programs.ts'
import { findSandbox, type Sandbox } from '../../src/adapters/processing/jail/sandbox.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { limits, openPlace, quarters, recipe } from './fixtures/visits.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const mebibyte = 1024 * 1024
const codeOf = (err: unknown): string => (isRindleError(err) ? err.code : String(err))

/** What code in a sandbox has to say: the JSON that a script makes of its arguments. */
const inside = async (sandbox: Sandbox, folder: ChildFolder, script: string, args: readonly string[]): Promise<string> => {
  const command = [...sandbox.argumentsFor(folder), process.execPath, '--eval', script, ...args]
  const child = spawn(sandbox.program, command, {
    cwd: '/',
    env: childEnvironment,
    stdio: ['ignore', 'pipe', 'inherit', 'ignore', 'pipe'],
  })
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  return said
}

describe('the sandbox around decoders', () => {
  let scratch: string
  let folder: ChildFolder
  let sandbox: Sandbox
  let server: Server
  let port = 0
  before(async () => {
    const found = await findSandbox(findProgram('bwrap'), decoderEntry(), process.execPath)
    assert.ok(found.sandbox, found.means)
    sandbox = found.sandbox
    scratch = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
    folder = makeChildFolder(scratch)
    server = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = typeof address === 'object' && address ? address.port : 0
  })
  after(async () => {
    server.close()
    await rm(scratch, { recursive: true })
  })

  it('has no network, not even this machine’s own', async () => {
    const script = `
      const socket = require('node:net').connect(Number(process.argv[1]), '127.0.0.1')
      socket.on('data', (chunk) => console.log(String(chunk))).on('error', (err) => console.log(err.code))`
    assert.match(await inside(sandbox, folder, script, [String(port)]), /^(ECONNREFUSED|ENETUNREACH)$/m)
    const outside = spawn(process.execPath, ['--eval', script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = await once(outside.stdout, 'data')
    assert.equal(String(said).trim(), 'hello')
  })

  it('shows no file of the home, the project, the system’s secrets or another job', async () => {
    const other = makeChildFolder(scratch)
    const secrets = [join(other.output, 'other'), join(scratch, 'job'), join(folder.input, '..', 'beside')]
    for (const path of secrets) await writeFile(path, 'secret')
    const places = [
      ...secrets,
      join(root, 'README.md'),
      join(root, 'test'),
      homedir(),
      '/etc/passwd',
      '/etc/shadow',
      '/var/lib',
      '/root',
      '/home',
      '/run',
      '/sys',
    ]
    const script = `
      const { readdirSync, readFileSync } = require('node:fs')
      const seen = process.argv.slice(1).filter((path) => {
        try { return readFileSync(path).length > 0 } catch (err) { if (err.code !== 'EISDIR') return false }
        return readdirSync(path).length > 0
      })
      console.log(JSON.stringify(seen))`
    assert.deepEqual(JSON.parse(await inside(sandbox, folder, script, places)), [])
    assert.deepEqual(JSON.parse(await inside(sandbox, folder, script, [process.execPath])), [process.execPath])
    for (const path of secrets) assert.equal(await readFile(path, 'utf8'), 'secret')
    await other.remove()
  })

  it('lets nothing be written but into the child’s own folder, and the file that came be read only', async () => {
    await writeFile(join(scratch, 'upload'), 'bytes')
    const received = await folder.bringIn(join(scratch, 'upload'))
    const places = [
      received,
      join(folder.input, 'new'),
      join(folder.output, 'new'),
      join(folder.input, '..', 'new'),
      '/new',
      '/dev/new',
      '/usr/lib/new',
      join(root, 'src/new'),
    ]
    const script = `
      for (const path of process.argv.slice(1)) try { require('node:fs').writeFileSync(path, 'changed') } catch {}`
    await inside(sandbox, folder, script, places)
    assert.deepEqual(places.filter(existsSync), [received, join(folder.output, 'new')])
    assert.equal(await readFile(join(scratch, 'upload'), 'utf8'), 'bytes')
    assert.equal((await stat(join(folder.input, '..'))).mode & 0o777, 0o700)
    assert.ok(folder.empty())
    assert.deepEqual([await readdir(folder.input), await readdir(folder.output)], [[], []])
  })

  it('sees its own processes only, with no rights, and nothing of our environment', async () => {
    const script = `
      const { readdirSync, readFileSync } = require('node:fs')
      const status = readFileSync('/proc/self/status', 'utf8')
      console.log(JSON.stringify({
        processes: readdirSync('/proc').filter((name) => Number(name) > 0),
        rights: [...status.matchAll(/^Cap(?:Prm|Eff|Bnd):\\s*(\\S+)/gm)].map((found) => Number('0x' + found[1])),
        environment: Object.keys(process.env).sort(),
      }))`
    const { processes, rights, environment } = JSON.parse(await inside(sandbox, folder, script, []))
    assert.deepEqual({ processes, rights }, { processes: ['1'], rights: [0, 0, 0] })
    assert.deepEqual(environment, [...Object.keys(childEnvironment), 'PWD'].sort())
  })

  it('takes with it what left its group and session', async () => {
    const script = `
      require('node:child_process').spawn('/usr/bin/sleep', ['98.76543'], { detached: true, stdio: 'ignore' }).unref()
      setTimeout(() => console.log('started'), 200)
      setInterval(() => undefined, 1000)`
    const command = [...sandbox.argumentsFor(folder), process.execPath, '--eval', script]
    const child = spawn(sandbox.program, command, { detached: true, stdio: ['ignore', 'pipe', 'ignore', 'ignore', 'pipe'] })
    await once(child.stdout!, 'data')
    const sleepers = async (): Promise<string[]> => {
      const lines = (await readdir('/proc'))
        .filter((name) => Number(name) > 0)
        .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
      return (await Promise.all(lines)).filter((line) => line.startsWith('/usr/bin/sleep\0' + '98.76543'))
    }
    assert.equal((await sleepers()).length, 1)
    process.kill(-child.pid!, 'SIGKILL')
    for (let tries = 0; tries < 50 && (await sleepers()).length > 0; tries++) await sleep(50)
    assert.deepEqual(await sleepers(), [])
  })

  it('takes a scratch folder that is relative, or where the sandbox has a file system of its own', { timeout: 60_000 }, async () => {
    for (const below of ['/dev/shm', tmpdir()]) {
      const scratchFolder = await mkdtemp(join(below, 'rindle-walls-'))
      const place = await openPlace({ require: true, scratchFolder: relative(process.cwd(), scratchFolder) })
      const { made } = await place.passing(await quarters(40, 40), 'a.png', { thumb: recipe({ width: 10 }) })
      assert.ok(made['thumb'])
      await place.close()
      assert.deepEqual(await readdir(scratchFolder), [])
      await rm(scratchFolder, { recursive: true })
    }
  })

  it('runs ffprobe and ffmpeg where this machine has them', async () => {
    const script = `console.log(require('node:child_process').execFileSync(process.argv[1], ['-version']).toString().split(' ')[0])`
    for (const name of ['ffprobe', 'ffmpeg']) {
      const path = findProgram(name)
      if (path !== null) assert.equal((await inside(sandbox, folder, script, [path])).trim(), name)
    }
  })
})

describe('a jail that wants all of its walls', () => {
  it('refuses to start and to look at anything where one does not stand, and says which and what to do', async () => {
    const jail = createJail({ concurrency: 1, bubblewrap: null, prlimit: null, require: true, logger: silentLogger })
    const told = (err: unknown): boolean =>
      isRindleError(err) &&
      err.code === 'jail_incomplete' &&
      /apt-get install bubblewrap/.test(err.message) &&
      /install util-linux/.test(err.message)
    await assert.rejects(jail.warm(), told)
    await assert.rejects(jail.visit({ limits } as never), told)
    const { walls } = await jail.report()
    assert.deepEqual(
      walls.filter(({ stands }) => !stands).map(({ name }) => name),
      ['sandbox', 'memory', 'limits'],
    )
    await jail.close()
  })

  it('works from where packages are links into a store, as some installers lay them out', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rindle-linked-'))
    const [own, packages] = [join(folder, 'store/rindle'), join(folder, 'store/node_modules')]
    for (const name of ['src', 'package.json']) await cp(join(root, name), join(own, name), { recursive: true })
    await mkdir(packages)
    for (const name of await readdir(join(root, 'node_modules')))
      if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(packages, name))
    await mkdir(join(folder, 'app'))
    await symlink(own, join(folder, 'app/rindle'))
    const script = `
      import { createJail } from './rindle/src/adapters/processing/jail.ts'
      const jail = createJail({ concurrency: 1, require: true, logger: console })
      const { walls, decodes } = await jail.report()
      console.log(walls.every(({ stands }) => stands), decodes.includes('image/webp'))
      await jail.close()`
    const options = ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script]
    const child = spawn(process.execPath, options, { cwd: join(folder, 'app'), stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(child, 'close')
    await rm(folder, { recursive: true })
    assert.equal(said, 'true true\n')
  })

  it('tells a machine that forbids sandboxes apart from one that has no bubblewrap, in the words of the tool', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
    const forbidding = join(folder, 'bwrap')
    await writeFile(forbidding, '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n', { mode: 0o700 })
    const { sandbox, means } = await findSandbox(forbidding, decoderEntry(), process.execPath)
    assert.equal(sandbox, null)
    assert.match(means, /No permissions to create new namespace.*sysctl kernel\.unprivileged_userns_clone=1/)
    await rm(folder, { recursive: true })
  })

  it(
    'says in the words of the tool why a decoder does not start in a sandbox, and uses it once it does',
    { timeout: 60_000 },
    async (test) => {
      const folder = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
      const bubblewrap = join(folder, 'bwrap')
      const words = '"bwrap: Can\\047t bind\\033[2J mount\\n"'
      const passOn = `case "$*" in *--version) ;; *) test -e ${folder}/well || { printf ${words} >&2; exit 1; } ;; esac`
      await writeFile(bubblewrap, `#!/bin/sh\n${passOn}\nexec ${findProgram('bwrap')} "$@"\n`, { mode: 0o700 })
      const jail = createJail({ concurrency: 1, bubblewrap, scratchFolder: folder, require: true, logger: silentLogger })
      const said = (): Promise<string> =>
        jail.warm().then(
          () => 'warm',
          (err: unknown) => String(err),
        )
      assert.match(await said(), /do not work in bubblewrap here \(it ended with status 1: bwrap: Can't bind \[2J mount\)/)
      await writeFile(join(folder, 'well'), '')
      assert.match(await said(), /Can't bind/)
      const now = performance.now.bind(performance)
      test.mock.method(performance, 'now', () => now() + 61_000)
      assert.equal(await said(), 'warm')
      assert.equal((await readdir(folder)).filter((name) => name.startsWith('rindle-decoder-')).length, 1)
      await jail.close()
      await rm(folder, { recursive: true })
    },
  )

  it('works behind all of them, and reports what it can decode', async () => {
    const place = await openPlace({ require: true })
    await place.passing(await quarters(40, 40), 'a.png', {})
    const report = await place.jail.report()
    assert.deepEqual(
      report.walls.filter(({ stands }) => !stands),
      [],
    )
    const pictures = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/tiff']
    assert.deepEqual(
      pictures.filter((type) => !report.decodes.includes(type)),
      [],
    )
    for (const type of Object.keys(report.missing)) assert.equal(report.decodes.includes(type), false)
    assert.match(report.versions['libvips'] ?? '', /^\d+\.\d+\.\d+$/)
    assert.equal(await place.jail.report(), report)
    await place.close()
  })

  it('says once in a process what does not stand where it makes do', async () => {
    const said: string[] = []
    const logger = { ...silentLogger, warn: (_: unknown, text: string) => void said.push(text) }
    const program = join(tmpdir(), 'no-such-bwrap')
    for (let jails = 0; jails < 2; jails++) {
      const place = await openPlace({ bubblewrap: program, logger })
      await place.passing(await quarters(40, 40), 'a.png', {})
      await place.close()
    }
    assert.deepEqual(
      said.map((text) => text.split(':')[0]),
      ['bubblewrap does not start here (ENOENT)'],
    )
  })
})

describe('what a decoder may take', () => {
  const grain = async (width: number, height: number): Promise<Sharp> => {
    const noise = { type: 'gaussian' as const, mean: 120, sigma: 20 }
    const small = sharp({ create: { width: Math.ceil(width / 8), height: Math.ceil(height / 8), channels: 3, background: '#456', noise } })
    return sharp(await small.png().toBuffer()).resize(width, height, { kernel: 'nearest' })
  }

  it('is said in words before the decode where the header asks for more', async () => {
    const place = await openPlace({ maxDecodeBytes: 48 * mebibyte })
    const interlaced = await (await grain(5000, 4000)).png({ progressive: true, compressionLevel: 1 }).toBuffer()
    const verdict = await place.visit(interlaced, 'a.png')
    assert.equal(verdict.verdict === 'refuse' && verdict.code, 'decode_too_large')
    const { neededBytes, maxDecodeBytes } = verdict.verdict === 'refuse' ? verdict.details : {}
    assert.ok(Number(neededBytes) > 48 * mebibyte, String(neededBytes))
    assert.equal(maxDecodeBytes, 48 * mebibyte)
    await place.close()
  })

  it('ends with the CPU time of its life, whatever it is in the middle of', async () => {
    const place = await openPlace({ cpuSecondsPerChild: 2 })
    const photo = await (await grain(3000, 2000)).jpeg().toBuffer()
    const recipes = { slow: recipe({ width: 3000, format: 'avif', effort: 9 }) }
    await assert.rejects(place.visit(photo, 'a.jpg', { recipes }), (err) => codeOf(err) === 'decoder_killed' && /SIGKILL/.test(String(err)))
    await place.close()
  })

  it('has a clock for the gate, which the making of variants does not run', async () => {
    const place = await openPlace()
    await place.passing(await quarters(40, 40), 'a.png', {})
    const photo = await (await grain(3000, 2000)).jpeg().toBuffer()
    const recipes = { slow: recipe({ width: 3000, format: 'avif', effort: 9 }) }
    const reasonOf = (given: Partial<typeof limits>): Promise<string> =>
      place.visit(photo, 'a.jpg', { recipes, limits: { ...limits, ...given } }).then(
        () => 'pass',
        (err: unknown) => String(err),
      )
    assert.match(
      await reasonOf({ gateTimeoutMs: 5, timeoutMs: 9_000 }),
      /looking at it took longer than 5 ms|In 0\.005 seconds the decoder got/,
    )
    assert.match(await reasonOf({ gateTimeoutMs: 2_500, timeoutMs: 4_000 }), /it took longer than 4000 ms|In 4 seconds the decoder got/)
    await place.close()
  })

  it('is no child more than was asked for, however many begin in the same moment', { timeout: 60_000 }, async () => {
    const scratchFolder = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
    const place = await openPlace({ concurrency: 3, scratchFolder })
    await place.jail.warm(1)
    assert.equal((await readdir(scratchFolder)).length, 1)
    const photo = await quarters(40, 40)
    await Promise.all([place.jail.warm(2), place.passing(photo, 'a.png', {}), place.passing(photo, 'b.png', {}), place.jail.warm(3)])
    for (let tries = 0; tries < 100 && (await readdir(scratchFolder)).length > 3; tries++) await sleep(50)
    assert.ok((await readdir(scratchFolder)).length <= 3)
    await place.close()
    await rm(scratchFolder, { recursive: true })
  })

  it('is a folder that goes with it, and what it made is in the job’s by then', async () => {
    const scratchFolder = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
    for (const bubblewrap of [findProgram('bwrap'), null]) {
      const place = await openPlace({ scratchFolder, bubblewrap })
      const { made } = await place.passing(await quarters(40, 40), 'a.png', { thumb: recipe({ width: 10 }) })
      assert.ok(made['thumb'] && made['thumb'].path.startsWith(place.folder) && existsSync(made['thumb'].path))
      const [own, ...others] = await readdir(scratchFolder)
      assert.match(own ?? '', /^rindle-decoder-\w{6}$/)
      assert.deepEqual([others, await readdir(join(scratchFolder, own!), { recursive: true })], [[], ['in', 'out']])
      await place.close()
      assert.deepEqual(await readdir(scratchFolder), [])
    }
    await rm(scratchFolder, { recursive: true })
  })

  it('is replaced once it has decoded its share, or when its folder was cleared away', async () => {
    const scratchFolder = await mkdtemp(join(tmpdir(), 'rindle-walls-'))
    const place = await openPlace({ scratchFolder, bytesPerChild: 100 * mebibyte })
    const names = new Set<string>()
    const photo = await (await grain(6000, 4000)).png({ progressive: true, compressionLevel: 1 }).toBuffer()
    for (let visit = 0; visit < 2; visit++) {
      await place.jail.warm()
      for (const name of await readdir(scratchFolder)) names.add(name)
      await place.passing(photo, 'a.png', {})
    }
    assert.equal(names.size, 2)
    await place.jail.warm()
    await rm(join(scratchFolder, (await readdir(scratchFolder))[0]!), { recursive: true })
    await mkdir(join(scratchFolder, 'beside'))
    await place.passing(await quarters(40, 40), 'a.png', { thumb: recipe({ width: 10 }) })
    await place.close()
    assert.deepEqual(await readdir(scratchFolder), ['beside'])
    await rm(scratchFolder, { recursive: true })
  })
})
