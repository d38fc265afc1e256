import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { local } from '../../src/adapters/storage/local.ts'
import { contextOf } from '../../src/context.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createHandler, type Handler } from '../../src/doors/http/index.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { type Engine, type EngineDatabase, engines } from '../services/engines.ts'
import { origin, send } from './fixtures/house.ts'
import { corpus } from './fixtures/visits.ts'

const openLessons = async (engine: Engine) => {
  const folder = await mkdtemp(join(tmpdir(), 'rindle-lessons-'))
  const database: EngineDatabase = await engine.open()
  const clock = createSettableClock()
  const common = {
    storage: local({ directory: folder }),
    allowMime: ['video/mp4', 'video/quicktime', 'audio/mpeg'],
    maxBytes: 2_000_000,
    maxDurationSeconds: 60,
    originals: { metadata: 'keep' },
  } as const
  const lesson = defineProfile(common)
  const strict = defineProfile({ ...common, allowCodecs: ['hevc', 'aac'] })
  const rindle = createTestRindle(
    {
      database: database.given,
      profiles: { lesson, strict },
      secrets: ['a secret of the journeys, thirty-two bytes and more'],
      baseUrl: `${origin}/media`,
    },
    { clock, databaseClock: clock.database },
  )
  await rindle.ready()
  const make = async (source: Buffer, filename: string, profile: 'lesson' | 'strict' = 'lesson') => {
    const { id } = await rindle.upload(profile, source, { filename })
    await promoteAsset(contextOf(rindle), id)
    const found = await rindle.asset(id)
    assert.ok(found)
    return found
  }
  const close = async (): Promise<void> => {
    await rindle.close()
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { rindle, database, make, close, door: createHandler(rindle, { identify: () => null, authorize: () => true }) }
}

for (const engine of engines) {
  describe(`lessons and songs, on ${engine.name}`, { skip: engine.skip }, () => {
    let lessons: Awaited<ReturnType<typeof openLessons>>
    let door: Handler
    before(async () => {
      lessons = await openLessons(engine)
      door = lessons.door
    })
    after(() => lessons.close())

    const columnsOf = async (id: string): Promise<unknown[]> => {
      const text = `select rotation, frames_per_second, video_codec, audio_codec from rindle.media_assets where id = '${id}'`
      const [row = {}] = await lessons.database.query(text)
      return [row['rotation'], row['frames_per_second'], row['video_codec'], row['audio_codec']]
    }

    it('keep what they are in columns', async () => {
      const film = await lessons.make(await corpus('odd/rotated_video.mp4'), 'lesson.mp4')
      const { state, kind, contentType, width, height, durationMs, hasVideoTrack, hasAudioTrack, placeholder, error } = film
      assert.deepEqual({ state, kind, contentType, error }, { state: 'available', kind: 'video', contentType: 'video/mp4', error: null })
      assert.deepEqual([width, height, durationMs, hasVideoTrack, hasAudioTrack, placeholder], [480, 640, 5_167, true, true, null])
      const [row] = await lessons.database.query(
        `select kind, width, height, duration_ms::int as ms, has_video_track as v, has_audio_track as a from rindle.media_assets where id = '${film.id}'`,
      )
      assert.deepEqual(row, { kind: 'video', width: 480, height: 640, ms: 5_167, v: true, a: true })
      assert.deepEqual([film.rotation, film.framesPerSecond, film.videoCodec, film.audioCodec], [90, 8.797, 'h264', 'aac'])
      assert.deepEqual(await columnsOf(film.id), [90, 8.797, 'h264', 'aac'])
      const song = await lessons.make(await corpus('odd/audio.mp3'), 'song.mp3')
      assert.deepEqual([song.state, song.kind, song.contentType], ['available', 'audio', 'audio/mpeg'])
      assert.deepEqual([song.width, song.height, song.durationMs, song.hasVideoTrack, song.hasAudioTrack], [null, null, 914, false, true])
      assert.deepEqual([song.rotation, song.framesPerSecond, song.videoCodec, song.audioCodec], [null, null, null, 'mp3'])
      assert.deepEqual(await columnsOf(song.id), [null, null, null, 'mp3'])
    })

    it('are served inline with their type, whole and in ranges', async () => {
      const bytes = await corpus('odd/rotated_hdr_video.mov')
      const film = await lessons.make(bytes, 'lesson.mov')
      const url = await lessons.rindle.url(film)
      const whole = await door(send('GET', url))
      assert.deepEqual(
        [whole.status, whole.headers.get('content-type'), whole.headers.get('accept-ranges')],
        [200, 'video/quicktime', 'bytes'],
      )
      assert.match(whole.headers.get('content-disposition') ?? '', /^inline; filename="lesson\.mov"/)
      assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes)
      const part = await door(send('GET', url, { headers: { range: 'bytes=100-199' } }))
      assert.deepEqual([part.status, part.headers.get('content-range')], [206, `bytes 100-199/${bytes.length}`])
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(100, 200))
    })

    it('are held back in words when the profile takes no such codec', async () => {
      const film = await lessons.make(await corpus('odd/rotated_video.mp4'), 'strict.mp4', 'strict')
      assert.deepEqual([film.state, film.error?.code, film.videoCodec], ['quarantined', 'codec_not_allowed', null])
      assert.match(film.error?.message ?? '', /^The MP4 file is made with h264; taken are hevc, aac\./)
    })

    it('are held back in words when they are cut, when their name is that of another, and when they are no film at all', async () => {
      const film = await corpus('odd/video.mp4')
      const cut = await lessons.make(film.subarray(0, film.length >> 1), 'cut.mp4')
      assert.deepEqual([cut.state, cut.error?.code, cut.durationMs], ['quarantined', 'decode_failed', null])
      assert.match(cut.error?.message ?? '', /^The MP4 file is damaged or incomplete/)
      const renamed = await lessons.make(film, 'renamed.mov')
      assert.deepEqual([renamed.state, renamed.error?.code], ['quarantined', 'extension_mime_mismatch'])
      const playlist = await lessons.make(Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'), 'playlist.mp4')
      assert.deepEqual([playlist.state, playlist.error?.code], ['quarantined', 'type_unknown'])
    })
  })
}
