import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { after, before, describe, it } from 'node:test'
import { local } from '../../src/adapters/storage/local.ts'
import { poster, video, waveform } from '../../src/core/av-recipes.ts'
import type { RindleEvent } from '../../src/core/events.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createRindle } from '../../src/rindle.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { openStudio, type Studio } from './fixtures/av-files.ts'
import { origin } from './fixtures/house.ts'

const oddWidth = 1_186

for (const engine of engines.filter(({ concurrent }) => concurrent)) {
  describe(`stopping an encode of another process, on ${engine.name}`, { skip: engine.skip }, () => {
    let folder: string
    let database: EngineDatabase
    let studio: Studio
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'rindle-av-cancel-'))
      database = await engine.open()
      await mkdir(scratchFolder())
      studio = await openStudio()
    })
    after(async () => {
      await studio.close()
      await database.close()
      await rm(folder, { recursive: true, force: true })
    })

    const scratchFolder = (): string => join(folder, 'scratch')
    /** An app as a process of its own opens it: nothing is shared but the database and the store. */
    const openApp = () =>
      createRindle({
        database: database.place,
        secrets: ['a secret of the journeys, thirty-two bytes and more'],
        baseUrl: `${origin}/media`,
        scratchFolder: scratchFolder(),
        // Renewed every forty seconds: who hears of it only then is late.
        leaseSeconds: 120,
        profiles: {
          lesson: defineProfile({
            ...{ storage: local({ directory: join(folder, 'objects') }), maxBytes: 500_000_000, allowMime: ['video/mp4'] },
            originals: { metadata: 'keep' },
            variants: { poster: poster(), web: video({ width: oddWidth, height: 700 }), wave: waveform() },
          }),
        },
      })
    /** Two minutes of film out of two seconds, which take long to encode and no time to make. */
    const longFilm = async (): Promise<Buffer> => {
      const source = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=30:duration=2', '-f', 'lavfi', '-i', 'sine=440:duration=2']
      await studio.make('short.mp4', ...source, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac')
      return studio.make('long.mp4', '-stream_loop', '59', '-i', join(studio.folder, 'short.mp4'), '-c', 'copy')
    }
    const until = async (holds: () => Promise<boolean>, what: string): Promise<void> => {
      for (const began = performance.now(); !(await holds()); await pause(100)) assert.ok(performance.now() - began < 60_000, what)
    }
    /** Encoders of this film: nobody else makes one so wide. */
    const atWork = async (): Promise<number> => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
      const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
      return lines.filter((line) => line.includes('ffmpeg') && line.includes(String(oddWidth))).length
    }

    it('ends it within seconds, keeps what is ready, tells how far it came, and makes it after all when asked', async () => {
      await using desk = openApp()
      await using factory = openApp()
      await desk.ready()
      const told: RindleEvent[] = []
      const hear = (event: unknown): void => void told.push(event as RindleEvent)
      subscribe('rindle:variant.progress', hear)
      const worker = factory.work()
      try {
        const { id } = await desk.upload('lesson', await longFilm(), { filename: 'long.mp4' })
        await until(async () => told.some(({ progress = 0 }) => progress > 0), 'nothing was told of its progress')
        assert.ok((await atWork()) > 0)
        const [row] = await database.query(`select progress from rindle.media_variants where name = 'web'`)
        assert.ok(Number(row?.['progress']) >= 0 && Number(row?.['progress']) < 95)

        const began = performance.now()
        assert.deepEqual(await desk.cancelProcessing(id, { reason: 'the wrong lesson' }), ['wave', 'web'])
        await until(async () => (await atWork()) === 0, 'it was still being encoded')
        assert.ok(performance.now() - began < 10_000, 'it took longer than seconds')
        const asset = await desk.asset(id)
        assert.equal(asset?.state, 'degraded')
        const rows = await database.query('select name, state from rindle.media_variants order by name')
        assert.deepEqual(
          rows.map(({ name, state }) => `${String(name)} ${String(state)}`),
          ['poster ready', 'wave cancelled', 'web cancelled'],
        )
        await until(async () => (await readdir(scratchFolder())).every((name) => !name.startsWith('rindle-0')), 'something lies in scratch')

        assert.deepEqual(await desk.requeueVariants(id, { variants: ['wave'] }), ['wave'])
        await desk.settled(id)
        assert.deepEqual(
          (await desk.readyVariantsFor({ id })).map(({ name }) => name),
          ['poster', 'wave'],
        )
        const about = told.filter(({ assetId }) => assetId === id)
        assert.ok(about.every(({ entity, to, progress }) => entity === 'variant' && to === 'processing' && progress !== undefined))
      } finally {
        unsubscribe('rindle:variant.progress', hear)
        await worker.stop()
      }
    })
  })
}
