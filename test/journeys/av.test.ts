import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { audio, poster, video } from '../../src/core/av-recipes.ts'
import { playableTypes } from '../../src/core/content-type.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import type { Facts, Verdict, Visit } from '../../src/core/ports/jail.ts'
import { runFfmpeg, runFfprobe } from '../../src/adapters/processing/av/run.ts'
import { versionOf } from '../../src/adapters/processing/av/program.ts'
import { amrOf, openStudio, testPicture, testSound, uneven, withoutRate, type Studio } from './fixtures/av-files.ts'
import { corpus, limits, openPlace, type Place } from './fixtures/visits.ts'

const allowMime = [...playableTypes]
type Shape = readonly [kind: string, type: string, size: string | null, seconds: number, tracks: string]

const shapeOf = (facts: Facts): Shape => [
  facts.kind,
  facts.contentType,
  facts.width === null ? null : `${facts.width}x${facts.height}`,
  Math.round((facts.durationMs ?? 0) / 100) / 10,
  `${facts.hasVideoTrack ? 'v' : ''}${facts.hasAudioTrack ? 'a' : ''}`,
]

describe('audio and video at the gate', () => {
  let place: Place
  let studio: Studio
  before(async () => {
    place = await openPlace()
    studio = await openStudio()
  })
  after(async () => {
    await place.close()
    await studio.close()
  })

  const look = (bytes: Buffer, filename: string, more: Partial<Visit> = {}): Promise<Verdict> =>
    place.visit(bytes, filename, { allowMime, ...more })
  const passes = async (bytes: Buffer, filename: string, shape: Shape, more: Partial<Visit> = {}): Promise<void> => {
    const verdict = await look(bytes, filename, more)
    assert.ok(verdict.verdict === 'pass', `${filename}: ${JSON.stringify(verdict)}`)
    assert.deepEqual(shapeOf(verdict.facts), shape, filename)
    assert.deepEqual([verdict.facts.placeholder, verdict.facts.frames, verdict.variants.length], [null, null, 0])
  }
  const refuses = async (bytes: Buffer, filename: string, code: ErrorCode, more: Partial<Visit> = {}): Promise<string> => {
    const verdict = await look(bytes, filename, more)
    assert.ok(verdict.verdict === 'refuse', `${filename} passed as ${JSON.stringify(verdict)}`)
    assert.equal(verdict.code, code, `${filename}: ${verdict.message}`)
    return verdict.message
  }

  const odd: Readonly<Record<string, Shape>> = {
    'rotated_video.mp4': ['video', 'video/mp4', '480x640', 5.2, 'va'],
    'rotated_hdr_video.mov': ['video', 'video/quicktime', '1080x1920', 1.7, 'v'],
    'video_with_rectangular_samples.mp4': ['video', 'video/mp4', '1920x1080', 5.2, 'va'],
    'video_with_undefined_display_aspect_ratio.mp4': ['video', 'video/mp4', '640x480', 3.4, 'va'],
    'video_without_audio_stream.mp4': ['video', 'video/mp4', '640x480', 5.2, 'v'],
    'video_without_video_stream.mp4': ['audio', 'video/mp4', null, 1, 'a'],
    'video.mp4': ['video', 'video/mp4', '640x480', 5.2, 'va'],
    'video.webm': ['video', 'video/webm', '640x480', 5.2, 'va'],
    'audio.mp3': ['audio', 'audio/mpeg', null, 0.9, 'a'],
  }
  for (const [name, shape] of Object.entries(odd))
    it(`takes ${name} for what it is`, async () => passes(await corpus(`odd/${name}`), name, shape))

  const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast']
  const both = [...testPicture, ...testSound]
  const sound = (type: string): Shape => ['audio', type, null, 6, 'a']
  const film = (type: string, size = '320x240'): Shape => ['video', type, size, 6, 'va']
  const made: readonly (readonly [name: string, args: readonly string[], shape: Shape])[] = [
    ['a.m4a', [...testSound, '-c:a', 'aac'], sound('audio/mp4')],
    ['lossless.m4a', [...testSound, '-c:a', 'alac'], sound('audio/mp4')],
    ['android.m4a', [...testSound, '-c:a', 'aac', '-f', 'mp4'], sound('audio/mp4')],
    ['a.ogg', [...testSound, '-c:a', 'libvorbis'], sound('audio/ogg')],
    ['a.opus', [...testSound, '-c:a', 'libopus'], sound('audio/ogg')],
    ['a.flac', [...testSound], sound('audio/flac')],
    ['a.wav', [...testSound], sound('audio/wav')],
    ['a.aiff', [...testSound], sound('audio/aiff')],
    ['a.caf', [...testSound, '-c:a', 'pcm_s16le'], sound('audio/x-caf')],
    ['a.aac', [...testSound, '-c:a', 'aac'], sound('audio/aac')],
    ['a.weba', [...testSound, '-c:a', 'libopus', '-f', 'webm'], sound('audio/webm')],
    ['plain.mp3', [...testSound, '-write_xing', '0'], sound('audio/mpeg')],
    ['v.mkv', [...both, ...x264, '-c:a', 'aac'], film('video/matroska')],
    ['v.3gp', [...both, '-c:v', 'h263', '-s', '352x288', '-c:a', 'aac'], film('video/3gpp', '384x288')],
    ['v.3g2', [...both, ...x264, '-c:a', 'aac'], film('video/3gpp2')],
    ['v.avi', [...both, '-c:v', 'mjpeg', '-c:a', 'pcm_s16le'], film('video/x-msvideo')],
    ['v.mpg', [...both, '-c:v', 'mpeg2video', '-c:a', 'mp2'], film('video/mpeg')],
    ['v.mts', [...both, ...x264, '-c:a', 'aac'], film('video/mp2t')],
    ['v.ogv', [...both, '-c:v', 'libtheora', '-c:a', 'libvorbis'], film('video/ogg')],
    ['fragments.mp4', [...both, ...x264, '-c:a', 'aac', '-movflags', 'frag_keyframe+empty_moov'], film('video/mp4')],
    ['live.webm', [...both, '-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus', '-live', '1'], film('video/webm')],
    ['open.mov', [...both, ...x264, '-x264-params', 'open-gop=1:keyint=30:bframes=3', '-c:a', 'aac'], film('video/quicktime')],
    ['hour.m4a', ['-f', 'lavfi', '-i', 'anullsrc=r=16000', '-t', '3600', '-c:a', 'aac'], ['audio', 'audio/mp4', null, 3600, 'a']],
    ['hour.flac', ['-f', 'lavfi', '-i', 'anullsrc=r=8000', '-t', '3600'], ['audio', 'audio/flac', null, 3600, 'a']],
  ]
  for (const [name, args, shape] of made)
    it(`takes ${name} from ffmpeg, and not its first half`, async () => {
      const bytes = await studio.make(name, ...args)
      await passes(bytes, name, shape)
      // What tells no length is as good when it is shorter.
      if (['plain.mp3', 'v.mpg', 'v.mts'].includes(name)) return
      await refuses(bytes.subarray(0, bytes.length >> 1), name, 'decode_failed')
    })

  it('takes an AMR recording, and one whose container tells no length is measured', async () => {
    await passes(amrOf(100), 'voice.amr', ['audio', 'audio/amr', null, 2, 'a'])
  })

  it('calls a file audio when its only picture is a cover', async () => {
    const cover = ['-f', 'lavfi', '-i', 'color=size=200x200:rate=1:duration=1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic']
    const bytes = await studio.make('cover.m4a', ...testSound, ...cover, '-map', '0', '-map', '1')
    await passes(bytes, 'cover.m4a', sound('audio/mp4'))
    await passes(await studio.make('cover.mp3', ...testSound, ...cover, '-map', '0', '-map', '1'), 'cover.mp3', sound('audio/mpeg'))
  })

  it('calls a recording of a browser by its sound where only that is taken, and refuses a film that goes by a name for sound', async () => {
    const voice = await studio.make('voice.webm', ...testSound, '-c:a', 'libopus')
    await passes(voice, 'voice.webm', sound('audio/webm'), { allowMime: ['audio/webm'] })
    await passes(voice, 'voice.webm', ['audio', 'video/webm', null, 6, 'a'])
    const movie = await studio.make('movie.webm', ...both, '-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus')
    await refuses(movie, 'movie.webm', 'mime_not_allowed', { allowMime: ['audio/webm'] })
    const disguised = await studio.make('disguised.mp4', ...both, ...x264, '-c:a', 'aac')
    await refuses(disguised, 'disguised.m4a', 'extension_mime_mismatch')
    await refuses(disguised, 'disguised.mp3', 'extension_mime_mismatch')
  })

  it('says which limit a file is beyond', async () => {
    const mp4 = await corpus('odd/video.mp4')
    const message = await refuses(mp4, 'video.mp4', 'max_duration_exceeded', { limits: { ...limits, maxDurationSeconds: 5 } })
    assert.equal(message, 'The file lasts 6 seconds; at most 5 are taken. Cut it and try again.')
    await refuses(mp4, 'video.mp4', 'max_side_exceeded', { limits: { ...limits, maxSidePixels: 600 } })
    await refuses(mp4, 'video.mp4', 'max_pixels_exceeded', { limits: { ...limits, maxPixels: 300_000 } })
    const live = await studio.make('live.mp3', ...testSound, '-write_xing', '0')
    await refuses(live, 'live.mp3', 'max_duration_exceeded', { limits: { ...limits, maxDurationSeconds: 5 } })
    const tracks = Array.from({ length: 33 }, () => ['-map', '0']).flat()
    const many = await studio.make('many.mka', '-f', 'lavfi', '-i', 'sine=440:duration=1', ...tracks, '-c:a', 'libopus')
    assert.equal(
      await refuses(many, 'many.mkv', 'max_streams_exceeded'),
      'The file holds 33 streams of picture, sound and text; at most 32 are taken. Save it with fewer and upload it once more.',
    )
    await refuses(mp4, 'video.mp4', 'max_streams_exceeded', { limits: { ...limits, maxStreams: 1 } })
  })

  it('counts the frames of a second, also where a film does not tell how many there are', async () => {
    const within = (maxFramesPerSecond: number): Partial<Visit> => ({ limits: { ...limits, maxFramesPerSecond } })
    const rateOf = async (bytes: Buffer, filename: string, maxFramesPerSecond: number): Promise<number | null> => {
      const verdict = await look(bytes, filename, within(maxFramesPerSecond))
      assert.ok(verdict.verdict === 'pass', JSON.stringify(verdict))
      return verdict.facts.framesPerSecond
    }
    const shot = (rate: number, seconds: number) => ['-f', 'lavfi', '-i', `testsrc2=size=64x64:rate=${rate}:duration=${seconds}`]
    const ntsc = await studio.make('ntsc.mp4', '-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=60000/1001:duration=6', ...x264)
    assert.equal(await rateOf(ntsc, 'ntsc.mp4', 60), 59.94)
    assert.match(await refuses(ntsc, 'ntsc.mp4', 'max_frame_rate_exceeded', within(58)), /^The film has 59 frames a second; at most 58 are/)
    const slow = await studio.make('slow.mp4', ...shot(960, 6), ...x264)
    assert.equal(await rateOf(slow, 'slow.mp4', limits.maxFramesPerSecond), 960)
    await refuses(slow, 'slow.mp4', 'max_frame_rate_exceeded', within(240))
    const racing = await studio.make('racing.mp4', ...shot(2_000, 1), ...x264)
    assert.match(await refuses(racing, 'racing.mp4', 'max_frame_rate_exceeded'), /^The film has 2000 frames a second; at most 1000 are/)
    const browser = withoutRate(await studio.make('browser.webm', ...shot(30, 6), ...uneven))
    assert.equal(await rateOf(browser, 'browser.webm', 60), 30)
    await refuses(browser, 'browser.webm', 'max_frame_rate_exceeded', within(20))
  })

  it('makes variants of what passed, however narrow its profile has become', async () => {
    const narrow = {
      ...limits,
      maxDurationSeconds: 1,
      maxSidePixels: 10,
      maxPixels: 10,
      maxStreams: 1,
      maxFramesPerSecond: 1,
      allowCodecs: ['vp9'],
    }
    const wished = { purpose: 'build', limits: narrow, variants: [{ name: 'first', recipe: poster() }] } as const
    const verdict = await look(await corpus('odd/video.mp4'), 'video.mp4', wished)
    assert.ok(verdict.verdict === 'pass', JSON.stringify(verdict))
    assert.deepEqual(
      verdict.variants.map(({ name, ok }) => [name, ok]),
      [['first', true]],
    )
  })

  it('takes nothing for made that ends before its source should', async () => {
    const whole = await studio.make('whole.mkv', ...both, ...x264, '-c:a', 'aac', '-g', '25')
    const recipes = { web: video({ width: 64, height: 48 }), song: audio() }
    const variants = Object.entries(recipes).map(([name, recipe]) => ({ name, recipe }))
    for (const [share, outcome] of [
      [1, /^(web|song) is made of 6 s$/],
      [0.5, /^The variant (web|song) could not be made: the file is damaged after about [1-4] s\. Save it again/],
    ] as const) {
      // As what was stored goes when its disk does: the gate had seen all of it.
      const verdict = await look(whole.subarray(0, whole.length * share), 'whole.mkv', { purpose: 'build', variants })
      assert.ok(verdict.verdict === 'pass', JSON.stringify(verdict))
      assert.equal(verdict.variants.length, 2)
      for (const made of verdict.variants)
        assert.match(made.ok ? `${made.name} is made of ${Math.round((made.durationMs ?? 0) / 1000)} s` : made.message, outcome)
    }
  })

  it('takes only the codecs that a profile lists, of every track but a cover', async () => {
    const only = (...allowCodecs: readonly string[]): Partial<Visit> => ({ limits: { ...limits, allowCodecs } })
    const mp4 = await corpus('odd/video.mp4')
    await passes(mp4, 'video.mp4', ['video', 'video/mp4', '640x480', 5.2, 'va'], only('h264', 'aac'))
    const message = await refuses(mp4, 'video.mp4', 'codec_not_allowed', only('h264', 'mp3'))
    assert.equal(message, 'The MP4 file is made with aac; taken are h264, mp3. Save it as one of these and upload it once more.')
    await refuses(await corpus('odd/rotated_hdr_video.mov'), 'film.mov', 'codec_not_allowed', only('h264', 'aac'))
    const cover = ['-f', 'lavfi', '-i', 'color=size=64x64:rate=1:duration=1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic']
    const song = await studio.make('covered.m4a', ...testSound, ...cover, '-map', '0', '-map', '1')
    await passes(song, 'covered.m4a', sound('audio/mp4'), only('aac'))
  })

  it('refuses in words what is made with a codec that nobody opens here, or carries other files', async () => {
    const old = await studio.make('old.avi', ...both, '-c:v', 'wmv2', '-c:a', 'pcm_s16le')
    assert.match(await refuses(old, 'old.avi', 'codec_not_allowed'), /^The AVI file is made with wmv2, which is not opened here\./)
    await writeFile(join(studio.folder, 'font.ttf'), 'not a font')
    const attach = ['-attach', join(studio.folder, 'font.ttf'), '-metadata:s:t', 'mimetype=application/x-truetype-font']
    await refuses(await studio.make('attached.mkv', ...both, ...x264, ...attach), 'attached.mkv', 'embedded_file_not_allowed')
  })

  it('refuses what is empty, a header alone, and damage at the beginning or the end', async () => {
    const mp4 = await studio.make('whole.mp4', ...both, ...x264, '-c:a', 'aac', '-movflags', 'faststart')
    await refuses(Buffer.alloc(0), 'a.mp4', 'file_empty')
    await refuses(mp4.subarray(0, 40), 'a.mp4', 'decode_failed')
    await refuses(mp4.subarray(0, mp4.length - 1_500), 'a.mp4', 'decode_failed')
    const wav = await studio.make('none.wav', '-f', 'lavfi', '-i', 'anullsrc', '-t', '0')
    await refuses(wav, 'none.wav', 'decode_failed')
    const headerOnly = await studio.make('header.mp4', ...both, ...x264, '-t', '0')
    await refuses(headerOnly, 'header.mp4', 'decode_failed')
    const start = mp4.indexOf('mdat')
    const damaged = (from: number): Buffer => {
      const bytes = Buffer.from(mp4)
      for (let at = from; at < from + 4_000 && at < bytes.length; at += 7) bytes[at] = 0xff - (bytes[at] ?? 0)
      return bytes
    }
    await refuses(damaged(start + 2_000), 'head.mp4', 'decode_failed')
    await refuses(damaged(mp4.length - 4_000), 'tail.mp4', 'decode_failed')
  })

  it('ends within the clock of the gate for a film of 3840 × 2160 in ten bits', { timeout: 120_000 }, async () => {
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=3840x2160:rate=60:duration=0.5']
    const x265 = ['-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-tag:v', 'hvc1']
    await studio.make('piece.mp4', ...source, ...x265, '-pix_fmt', 'yuv420p10le')
    const bytes = await studio.make('large.mp4', '-stream_loop', '15', '-i', join(studio.folder, 'piece.mp4'), '-c', 'copy')
    await passes(bytes, 'large.mp4', ['video', 'video/mp4', '3840x2160', 8, 'v'])
  })

  it('runs ffmpeg and ffprobe with their versions known, for so long and for so much output as it is told', async () => {
    assert.match((await versionOf('ffmpeg')) ?? '', /^\d+\.\d/)
    await studio.make('minute.m4a', '-f', 'lavfi', '-i', 'anullsrc=r=16000', '-t', '60', '-c:a', 'aac')
    const input = { path: join(studio.folder, 'minute.m4a'), contentType: 'audio/mp4' }
    // Read as fast as it plays.
    const slow = await runFfmpeg({ ...input, options: ['-re'] }, ['-f', 'null', '-'], { timeoutMs: 400 })
    assert.deepEqual([slow.ranOut, slow.wroteTooMuch], [true, false])
    const much = await runFfprobe(input, ['-show_packets'], { timeoutMs: 10_000, maxOutputBytes: 10_000 })
    assert.equal(much.wroteTooMuch, true)
    assert.ok(much.stdout.length <= 10_000)
    const copy = join(studio.folder, 'copy.m4a')
    const copied = await runFfmpeg(input, ['-c', 'copy', '-map_metadata', '-1', `file:${copy}`], { timeoutMs: 10_000 })
    assert.equal(copied.status, 0)
    await passes(await readFile(copy), 'copy.m4a', ['audio', 'audio/mp4', null, 60, 'a'])
  })
})
