import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isRindleError } from '../../src/core/errors.ts'
import { breachesOfLaw } from '../services/ffmpeg-law.ts'
import { openStudio, type Studio } from './fixtures/av-files.ts'
import { openPlace, type Place } from './fixtures/visits.ts'

interface Process {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

const processes = async (): Promise<Process[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid): Promise<Process[]> => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return state === undefined || state === 'Z' || stat === '' ? [] : [{ pid: Number(pid), parent: Number(parent), command }]
    }),
  )
  return found.flat()
}

/** ffmpeg or ffprobe below this process, however deep, and the process that started it. */
const running = async (): Promise<Process | null> => {
  const all = await processes()
  const isBelow = (one: Process | undefined): boolean =>
    one !== undefined && (one.parent === process.pid || isBelow(all.find(({ pid }) => pid === one.parent)))
  return all.find((one) => /^[^\0]*\/ffmpeg\0/.test(one.command) && one.command.includes('rindle-decoder-') && isBelow(one)) ?? null
}

const within = async <T>(ms: number, look: () => Promise<T | null>): Promise<T> => {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) {
    const found = await look()
    if (found !== null) return found
  }
  throw new TypeError(`nothing came within ${ms} ms`)
}

const isGone = async (pid: number): Promise<true | null> => ((await processes()).some((one) => one.pid === pid) ? null : true)

describe('ffmpeg in the jail', () => {
  let studio: Studio
  let film: Buffer
  before(async () => {
    studio = await openStudio()
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=3840x2160:rate=30:duration=0.5']
    await studio.make('piece.mp4', ...source, '-c:v', 'libx264', '-preset', 'ultrafast')
    film = await studio.make('film.mp4', '-stream_loop', '40', '-i', join(studio.folder, 'piece.mp4'), '-c', 'copy')
  })
  after(() => studio.close())

  const look = (place: Place, signal?: AbortSignal) =>
    place.visit(film, 'film.mp4', { allowMime: ['video/mp4'], ...(signal ? { signal } : {}) })

  for (const [title, options] of [
    ['in the sandbox', {}],
    ['without it', { bubblewrap: null }],
  ] as const)
    it(`ends with the child that started it, ${title}, and when the visit is called off`, async () => {
      const place = await openPlace(options)
      try {
        const dying = assert.rejects(look(place), (err) => isRindleError(err) && err.code === 'decoder_killed')
        const first = await within(20_000, running)
        process.kill(first.parent, 'SIGKILL')
        await dying
        await within(3_000, () => isGone(first.pid))
        const abort = new AbortController()
        const calledOff = assert.rejects(look(place, abort.signal), { name: 'AbortError' })
        const second = await within(20_000, running)
        abort.abort()
        await calledOff
        await within(3_000, () => isGone(second.pid))
        assert.equal((await look(place)).verdict, 'pass')
      } finally {
        await place.close()
      }
    })

  it('does not outlive an app that is killed together with its decoders, without the sandbox', async () => {
    const path = join(studio.folder, 'film.mp4')
    await writeFile(path, film)
    const script = join(studio.folder, 'app.ts')
    await writeFile(
      script,
      `import { readFile } from 'node:fs/promises'
       import { openPlace } from ${JSON.stringify(new URL('./fixtures/visits.ts', import.meta.url).href)}
       import { video } from ${JSON.stringify(sourceOf('core/av-recipes.ts'))}
       const place = await openPlace({ bubblewrap: null })
       const bytes = await readFile(${JSON.stringify(path)})
       await place.visit(bytes, 'film.mp4', { purpose: 'build', allowMime: ['video/mp4'], recipes: { web: video() } })`,
    )
    const args = ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning', script]
    const app = spawn(process.execPath, args, { stdio: 'ignore', env: { ...process.env, TMPDIR: studio.folder } })
    assert.ok(app.pid)
    const encoding = async (): Promise<Process | null> => {
      const one = await running()
      return one?.command.includes('libx264') ? one : null
    }
    const { pid, parent } = await within(20_000, encoding)
    process.kill(app.pid, 'SIGSTOP')
    for (const one of [parent, app.pid]) process.kill(one, 'SIGKILL')
    await within(3_000, () => isGone(pid))
  })

  it('is no word against a file when somebody tells it to end, as a service that stops tells all of its processes', async () => {
    const place = await openPlace()
    try {
      const told = assert.rejects(look(place), (err) => isRindleError(err) && err.code === 'decoder_killed')
      process.kill((await within(20_000, running)).pid, 'SIGTERM')
      await told
    } finally {
      await place.close()
    }
  })

  it('is called by one law, whatever for', { timeout: 180_000 }, async () => {
    const log = join(studio.folder, 'calls')
    await writeFile(log, '')
    const fakes = await Promise.all(
      ['ffmpeg', 'ffprobe'].map(async (name) => {
        const real = join(studio.folder, `real-${name}`)
        await copyFile(`/usr/bin/${name}`, real)
        const words = `printf '%s\\037' ${name} "$@" >> ${log}; echo >> ${log}`
        return fake(name, `case "$1" in -version) ;; *) ${words};; esac; exec ${real} "$@"`)
      }),
    )
    await studio.make(
      'titles.mkv',
      ...['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10:duration=2', '-i', await titles(), '-c:v', 'libx264', '-c:s', 'srt'],
      ...['-metadata', 'location=+48.1+011.5/'],
    )
    const said = await inside(
      fakes,
      `const { audio, poster, preview, strip, video, waveform } = await import(${JSON.stringify(sourceOf('core/av-recipes.ts'))})
       const recipes = { poster: poster(), at: poster({ at: 1 }), web: video({ width: 64, height: 48 }), song: audio({ loudness: 'two-pass' }), mp3: audio({ preset: 'mp3_128k' }), wave: waveform(), scrub: strip(), moves: preview() }
       const names = ['video.mp4', 'video.webm', 'audio.mp3', 'rotated_hdr_video.mov']
       const files = [...await Promise.all(names.map(async (name) => [name, await corpus('odd/' + name)])), ['titles.mkv', await readFile(${JSON.stringify(join(studio.folder, 'titles.mkv'))})]]
       for (const [name, bytes] of files) for (const purpose of ['gate', 'build']) {
         const allowMime = ['video/mp4', 'video/webm', 'audio/mpeg', 'video/quicktime', 'video/matroska']
         const metadata = name === 'titles.mkv' ? 'strip-location' : 'strip'
         const { verdict, code } = await place.visit(bytes, name, { purpose, allowMime, metadata, recipes: purpose === 'build' ? recipes : {} })
         said.push(code ?? verdict)
       }`,
    )
    assert.deepEqual(said, Array(10).fill('pass'))
    const calls = (await readFile(log, 'utf8'))
      .split('\x1f\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\x1f'))
    assert.ok(calls.length > 60, `${calls.length} calls`)
    for (const [name = '', ...args] of calls) assert.deepEqual(breachesOfLaw(name, args), [], `${name} ${args.join(' ')}`)
  })

  it('is gone with all that it started, although it does not end when it is told to', async () => {
    const mark = `${process.pid}98765`
    const stubborn = await fake(
      'ffmpeg',
      `case "$1" in -version) exec /usr/bin/ffprobe -version;; esac; trap '' TERM; sleep ${mark} & wait; sleep ${mark}`,
    )
    const [outcome, left] = await inside(
      [stubborn],
      `const short = { ...limits, gateTimeoutMs: 4_000 }
       said.push(await place.visit(await corpus('odd/video.mp4'), 'a.mp4', { allowMime: ['video/mp4'], limits: short }).then(JSON.stringify, (err) => err.code))
       said.push(readdirSync('/proc').filter((pid) => Number(pid) > 0).filter((pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'utf8').includes('${mark}') } catch { return false } }).length)`,
    )
    assert.match(String(outcome), /^decoder_(killed|starved)$/)
    assert.equal(left, 0)
  })

  it('is refused with what is needed where it is older than that', async () => {
    const version = `echo "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"; echo "libavutil      56. 70.100 / 56. 70.100"`
    const old = await Promise.all(['ffmpeg', 'ffprobe'].map((name) => fake(name, version)))
    const [message, versions] = await inside(
      old,
      `said.push(await place.visit(await corpus('odd/video.mp4'), 'a.mp4', { allowMime: ['video/mp4'] }).then(JSON.stringify, (err) => err.code + ' ' + err.message))
       said.push((await place.jail.report(['video/mp4'])).versions.ffmpeg)`,
    )
    assert.match(String(message), /^peer_outdated .*4\.4\.2.*5\.1/)
    assert.equal(versions, '4.4.2-0ubuntu0.22.04.1')
  })

  /** A program of the same name that does as the script says. */
  const fake = async (name: string, script: string): Promise<readonly [name: string, path: string]> => {
    const path = join(studio.folder, `fake-${(fakesMade += 1)}`)
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return [name, path]
  }
  let fakesMade = 0

  const titles = async (): Promise<string> => {
    const path = join(studio.folder, 'titles.srt')
    await writeFile(path, '1\n00:00:00,000 --> 00:00:01,000\nhello\n')
    return path
  }
  const sourceOf = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href

  /** What code says that runs where programs are others than here: it pushes to `said`. */
  const inside = async (programs: readonly (readonly [name: string, path: string])[], code: string): Promise<readonly unknown[]> => {
    const script = join(studio.folder, `script-${(fakesMade += 1)}.ts`)
    await writeFile(
      script,
      `import { readdirSync, readFileSync } from 'node:fs'
       import { readFile } from 'node:fs/promises'
       import { corpus, limits, openPlace } from ${JSON.stringify(new URL('./fixtures/visits.ts', import.meta.url).href)}
       const place = await openPlace({ bubblewrap: null })
       const said = []
       ${code}
       console.log(JSON.stringify(said))
       await place.close()`,
    )
    const bound = programs.flatMap(([name, path]) => ['--ro-bind', path, `/usr/bin/${name}`])
    const node = [process.execPath, '--conditions=rindle-source', '--disable-warning=ExperimentalWarning', script]
    const { stdout } = await promisify(execFile)('bwrap', ['--dev-bind', '/', '/', ...bound, '--', ...node])
    const said: unknown = JSON.parse(stdout)
    assert.ok(Array.isArray(said))
    return said
  }

  it('is named with its install line where it is not installed, as a fault and not a verdict', async () => {
    const script = join(studio.folder, 'without.ts')
    await writeFile(
      script,
      `import { corpus, openPlace } from ${JSON.stringify(new URL('./fixtures/visits.ts', import.meta.url).href)}
       const place = await openPlace({ bubblewrap: null })
       const said = await place.visit(await corpus('odd/audio.mp3'), 'song.mp3', { allowMime: ['audio/mpeg'] }).then(JSON.stringify, (err) => err.code + ' ' + err.message)
       const { versions } = await place.jail.report()
       console.log(JSON.stringify({ said, ffmpeg: versions.ffmpeg, ffprobe: versions.ffprobe }))
       await place.close()`,
    )
    const hidden = ['ffmpeg', 'ffprobe'].flatMap((name) => ['--ro-bind', '/dev/null', `/usr/bin/${name}`])
    const node = [process.execPath, '--conditions=rindle-source', '--disable-warning=ExperimentalWarning', script]
    const { stdout } = await promisify(execFile)('bwrap', ['--dev-bind', '/', '/', ...hidden, '--', ...node])
    const { said, ...versions } = JSON.parse(stdout)
    assert.equal(
      said,
      'program_missing Looking into audio and video needs ffprobe, which is not on this machine: apt-get install ffmpeg, or brew install ffmpeg; it is looked for in /usr/bin, /usr/local/bin, /opt/homebrew/bin, /bin, and not along PATH; then start the worker again',
    )
    assert.deepEqual(versions, { ffmpeg: null, ffprobe: null })
  })
})
