import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isRindleError } from '../../src/core/errors.ts'
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
      'program_missing Looking into audio and video needs ffprobe, which is not on this machine: apt-get install ffmpeg, or brew install ffmpeg; then start the worker again',
    )
    assert.deepEqual(versions, { ffmpeg: null, ffprobe: null })
  })
})
