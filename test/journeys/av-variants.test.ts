import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { probeArguments, type Probed, probedFrom } from '../../src/adapters/processing/av/probe-reply.ts'
import { runFfprobe } from '../../src/adapters/processing/av/run.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { audio, poster, preview, strip, video, waveform } from '../../src/core/av-recipes.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { type Engine, engines } from '../services/engines.ts'
import { openStudio, type Studio, testPicture, testSound } from './fixtures/av-files.ts'
import { origin } from './fixtures/house.ts'
import { corpus } from './fixtures/visits.ts'

const types = ['video/mp4', 'video/quicktime', 'video/webm', 'audio/mpeg', 'image/jpeg']

const openLessons = async (engine: Engine) => {
  const folder = await mkdtemp(join(tmpdir(), 'rindle-av-variants-'))
  const database = await engine.open()
  const clock = createSettableClock()
  const storage = local({ directory: folder })
  const rest = { storage, maxBytes: 50_000_000, originals: { metadata: 'keep' } } as const
  const lesson = defineProfile({
    ...{ ...rest, allowMime: types },
    variants: {
      ...{ poster: poster(), web: video(), wave: waveform({ length: 100 }), scrub: strip() },
      ...{ song: audio({ loudness: 'two-pass' }), moves: preview(), thumb: image({ width: 64 }) },
    },
  })
  const watched = defineProfile({ ...rest, allowMime: ['video/mp4'], variants: { web: video() } })
  const small = defineProfile({ ...rest, allowMime: ['video/mp4'], variants: { web: video({ width: 160, height: 120 }) } })
  const rindle = createTestRindle(
    {
      ...{ database: database.given, profiles: { lesson, watched, small }, baseUrl: `${origin}/media` },
      secrets: ['a secret of the journeys, thirty-two bytes and more'],
    },
    { clock, databaseClock: clock.database },
  )
  await rindle.ready()
  const worker = createTestWorker(rindle, clock)
  const make = async (profile: 'lesson' | 'watched' | 'small', source: Buffer, filename: string) => {
    const { id } = await rindle.upload(profile, source, { filename })
    await worker.work()
    const found = await rindle.asset(id)
    assert.ok(found)
    const rows = await database.query('select * from rindle.media_variants where asset_id = $1 order by name', [id])
    const runs = await database.query(
      'select job, state, error_code from rindle.media_processing_runs where asset_id = $1 order by started_at',
      [id],
    )
    return { asset: found, rows, runs }
  }
  const read = async (row: Readonly<Record<string, unknown>>): Promise<Uint8Array> => {
    const [object] = await database.query('select key from rindle.media_objects where id = $1', [row['object_id']])
    const opened = await storage.read(String(object?.['key']))
    assert.ok(opened)
    return new Response(opened.body).bytes()
  }
  /** What another program finds in a variant that was stored. */
  const probe = async (row: Readonly<Record<string, unknown>>, contentType: string): Promise<Probed> => {
    const path = join(folder, 'probed')
    await writeFile(path, await read(row))
    const run = await runFfprobe({ path, contentType }, [...probeArguments], { timeoutMs: 10_000 })
    const probed = probedFrom(run.stdout.toString('utf8'))
    assert.ok(probed)
    return probed
  }
  const close = async (): Promise<void> => {
    await rindle.close()
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { rindle, database, make, read, probe, close }
}

/** Each file of the corpus with the size of its 720p film, what it has besides, and how long it lasts. */
const odd: Readonly<Record<string, readonly [size: string | null, others: string, seconds: number]>> = {
  'rotated_video.mp4': ['480x640', 'moves poster scrub song wave', 5.2],
  'rotated_hdr_video.mov': ['720x1280', 'moves poster scrub', 1.7],
  'video_with_rectangular_samples.mp4': ['1280x720', 'moves poster scrub song wave', 5.2],
  'video_with_undefined_display_aspect_ratio.mp4': ['640x480', 'moves poster scrub song wave', 3.4],
  'video_without_audio_stream.mp4': ['640x480', 'moves poster scrub', 5.2],
  'video_without_video_stream.mp4': [null, 'song wave', 1],
  'video.mp4': ['640x480', 'moves poster scrub song wave', 5.2],
  'video.webm': ['640x480', 'moves poster scrub song wave', 5.2],
  'audio.mp3': [null, 'song wave', 0.9],
}

/** What ffmpeg makes of a file is the same on every engine: one has all of them, each of the others a film of which everything is made. */
const filesOn = (engine: Engine) => Object.entries(odd).filter(([name]) => engine === engines[0] || name === 'video.mp4')

for (const engine of engines) {
  describe(`variants of films and sound, on ${engine.name}`, { skip: engine.skip }, () => {
    let lessons: Awaited<ReturnType<typeof openLessons>>
    let studio: Studio
    before(async () => {
      lessons = await openLessons(engine)
      studio = await openStudio()
    })
    after(async () => {
      await lessons.close()
      await studio.close()
    })

    for (const [name, [size, others, seconds]] of filesOn(engine))
      it(`are made of ${name}`, async () => {
        const { asset, rows, runs } = await lessons.make('lesson', await corpus(`odd/${name}`), name)
        const said = rows.map((row) => `${String(row['name'])} ${String(row['state'])} ${String(row['error_detail'] ?? '')}`.trim())
        const wanted = [...others.split(' '), ...(size ? ['web'] : [])].toSorted()
        assert.deepEqual(
          said,
          wanted.map((one) => `${one} ready`),
        )
        assert.equal(asset.state, 'ready')
        const jobs = ['promote_asset', ...(size ? ['make_poster'] : []), 'transcode_asset']
        assert.deepEqual(
          runs.map(({ job, state }) => `${String(job)} ${String(state)}`),
          jobs.map((job) => `${job} succeeded`),
        )
        const web = rows.find((row) => row['name'] === 'web')
        if (!web) return
        assert.equal(`${String(web['width'])}x${String(web['height'])}`, size)
        const found = await lessons.probe(web, 'video/mp4')
        // What tells where everything is stands in front, so that a player need not wait for the end.
        const stored = Buffer.from(await lessons.read(web))
        assert.ok(stored.indexOf('moov') < stored.indexOf('mdat'))
        assert.equal(`${found.picture?.width}x${found.picture?.height}`, size)
        assert.deepEqual(
          [found.picture?.codec, found.picture?.rotation, found.picture?.isSquare, found.picture?.isHdr],
          ['h264', 0, true, false],
        )
        assert.equal(found.hasSound, others.includes('song'))
        assert.ok(Math.abs((found.durationMs ?? 0) / 1000 - seconds) < 0.4, `${found.durationMs} ms`)
      })

    if (engine !== engines[0]) return

    it('are copied where nothing has to be encoded', async () => {
      const film = await studio.make(
        'conforms.mp4',
        ...testPicture,
        ...testSound,
        '-c:v',
        'libx264',
        '-pix_fmt',
        'yuv420p',
        '-c:a',
        'aac',
        '-b:a',
        '96k',
      )
      // What the encoder of the original wrote between its pictures; and the same in a unit of a type that means nothing.
      const noteAt = film.lastIndexOf(Buffer.from([0x06, 0x05]), film.indexOf('x264 - core'))
      const strange = Buffer.from(film)
      strange[noteAt] = 24
      for (const one of [film, strange]) {
        const { rows } = await lessons.make('watched', one, 'conforms.mp4')
        const [web] = rows
        assert.equal(web?.['state'], 'ready')
        const copiedBytes = Number(web['byte_size'])
        assert.ok(Math.abs(copiedBytes - film.byteLength) < film.byteLength * 0.05, `${copiedBytes} of ${film.byteLength}`)
        assert.ok(one.includes('x264 - core'))
        assert.ok(!Buffer.from(await lessons.read(web)).includes('x264 - core'))
      }
    })

    it('fail in words where the file breaks in the middle, and the original stays', async () => {
      const whole = await studio.make(
        'broken.mp4',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=size=320x240:rate=25:duration=30',
        '-c:v',
        'libx264',
        '-movflags',
        '+faststart',
      )
      const broken = Buffer.from(whole)
      broken.fill(0xa5, Math.floor(whole.length * 0.4), Math.floor(whole.length * 0.6))
      const { asset, rows } = await lessons.make('small', broken, 'broken.mp4')
      const [web] = rows
      assert.deepEqual([asset.state, asset.error, web?.['state'], web?.['error_code']], ['degraded', null, 'failed', 'source_broken'])
      assert.match(String(web?.['error_detail']), /^The variant web could not be made: too much of the file is damaged\. Save it again/)
      assert.ok(await lessons.rindle.url(asset))
    })
  })
}
