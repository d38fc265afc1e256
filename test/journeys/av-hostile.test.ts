import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { attendAv } from '../../src/adapters/processing/av/attend-av.ts'
import { runFfmpeg, runFfprobe } from '../../src/adapters/processing/av/run.ts'
import { playableTypes } from '../../src/core/content-type.ts'
import { isRindleError, type ErrorCode } from '../../src/core/errors.ts'
import { aliasTo, boxOf, disguises, linkedCover, referenceTo, referring } from './fixtures/av-disguises.ts'
import { openStudio, testPicture, testSound, type Studio } from './fixtures/av-files.ts'
import { preview, strip, video } from '../../src/core/av-recipes.ts'
import { limits, openPlace, type Place } from './fixtures/visits.ts'

const secret = 'CANARY-7f3a91'
const names = ['film.mp4', 'film.mkv', 'song.mp3', 'film.mov']
/** One for each demuxer that text might get to. */
const containers = ['video/mp4', 'video/webm', 'audio/mpeg', 'video/mp2t', 'video/x-msvideo']
const refusals: readonly ErrorCode[] = [
  'type_unknown',
  'mime_not_allowed',
  'extension_mime_mismatch',
  'decode_failed',
  'external_reference',
]

describe('files that name other files', () => {
  let studio: Studio
  let walled: Place
  let bare: Place
  let server: Server
  let connections = 0
  let canary: string
  let url: string
  let payloads: readonly (readonly [name: string, bytes: Buffer])[]

  before(async () => {
    studio = await openStudio()
    walled = await openPlace()
    bare = await openPlace({ bubblewrap: null })
    server = createServer((socket) => {
      connections += 1
      socket.destroy()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/${secret}.ts`
    canary = join(studio.folder, 'canary.ts')
    await studio.make(
      'canary.ts',
      ...testPicture,
      ...testSound,
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-metadata',
      `service_name=${secret}`,
    )
    const mp4 = await studio.make('good.mp4', ...testPicture, ...testSound, '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac')
    payloads = [
      ...Object.entries(disguises(canary, url)).map(([name, text]) => [name, Buffer.from(text)] as const),
      ['url of a file', referring(mp4, referenceTo(`file://${canary}`))],
      ['url of a server', referring(mp4, referenceTo(url))],
      ['alias', referring(mp4, aliasTo(canary))],
      ['reference movie', Buffer.concat([boxOf('ftyp', Buffer.from('qt  \0\0\0\0qt  ')), referenceMovie(url)])],
    ]
    await utimes(canary, 0, new Date())
  })
  after(async () => {
    await Promise.all([walled.close(), bare.close(), studio.close()])
    server.close()
  })
  afterEach(async () => {
    assert.equal(connections, 0, 'the canary server was called')
    assert.equal((await stat(canary)).atimeMs, 0, 'the canary file was read')
  })

  const referenceMovie = (address: string): Buffer => {
    const data = Buffer.concat([
      Buffer.alloc(4),
      Buffer.from('url '),
      Buffer.from([0, 0, 0, address.length + 1]),
      Buffer.from(`${address}\0`),
    ])
    return boxOf('moov', boxOf('rmra', boxOf('rmda', boxOf('rdrf', data))))
  }

  it('are followed by an ffmpeg that is let: the canaries would sing', async () => {
    const [, playlist] = payloads.find(([name]) => name === 'hls by path') ?? []
    assert.ok(playlist)
    await writeFile(join(studio.folder, 'open.mp4'), playlist)
    const ffprobe = promisify(execFile)('ffprobe', ['-v', 'error', '-show_entries', 'format=format_name', join(studio.folder, 'open.mp4')])
    assert.match((await ffprobe).stdout, /hls/)
    assert.notEqual((await stat(canary)).atimeMs, 0)
    await utimes(canary, 0, new Date())
    const [, overHttp] = payloads.find(([name]) => name === 'hls over http') ?? []
    assert.ok(overHttp)
    await writeFile(join(studio.folder, 'open.mp4'), overHttp)
    const all = ['-v', 'error', '-protocol_whitelist', 'file,http,tcp', '-i', join(studio.folder, 'open.mp4')]
    await promisify(execFile)('ffprobe', all).catch(() => null)
    assert.ok(connections > 0)
    connections = 0
  })

  for (const [title, place] of [
    ['in the sandbox', () => walled],
    ['without the sandbox', () => bare],
  ] as const)
    it(`are refused with a verdict, ${title}, whatever their names`, async () => {
      for (const [disguise, bytes] of payloads)
        for (const name of names) {
          const verdict = await place().visit(bytes, name, { allowMime: [...playableTypes] })
          assert.ok(verdict.verdict === 'refuse', `${disguise} as ${name} passed`)
          assert.ok(refusals.includes(verdict.code), `${disguise} as ${name}: ${verdict.code}`)
          assert.ok(!JSON.stringify(verdict).includes(secret) && !JSON.stringify(verdict).includes('canary'), disguise)
        }
    })

  it('are refused by the probe itself, should a recogniser take them for audio or video', { timeout: 180_000 }, async () => {
    for (const [disguise, bytes] of payloads) {
      const path = join(studio.folder, 'disguised-%03d.mp4')
      await writeFile(path, bytes)
      for (const contentType of containers) {
        const said = await attendAv({ path, limits }, contentType, async () => undefined).then(
          (found) => `passed as ${JSON.stringify(found)}`,
          (err: unknown) => (isRindleError(err) ? err : Promise.reject(err)),
        )
        assert.ok(typeof said !== 'string', `${disguise} as ${contentType} ${String(said)}`)
        assert.ok(refusals.includes(said.code), `${disguise} as ${contentType}: ${said.code}`)
        assert.ok(!`${said.message}${JSON.stringify(said.details)}`.includes(secret))
      }
    }
  })

  it('leave nothing of another file in what ffmpeg copies or decodes from them', { timeout: 180_000 }, async () => {
    for (const [disguise, bytes] of payloads) {
      const path = join(studio.folder, 'copied.mov')
      await writeFile(path, bytes)
      const input = { path, contentType: 'video/quicktime' }
      const output = join(studio.folder, 'copied.nut')
      await writeFile(output, '')
      await runFfmpeg(input, ['-c', 'copy', `file:${output}`], { timeoutMs: 10_000 })
      assert.ok(!(await readFile(output)).includes(secret), disguise)
      const probed = await runFfprobe(input, ['-show_streams'], { timeoutMs: 10_000 })
      assert.ok(!probed.stdout.includes(secret), disguise)
    }
  })

  it('do not have an MP3 fetch its cover, nor an image sequence be read for a name', async () => {
    const mp3 = Buffer.concat([linkedCover(url), await studio.make('plain.mp3', ...testSound, '-write_xing', '0', '-id3v2_version', '0')])
    for (const place of [walled, bare]) {
      const verdict = await place.visit(mp3, 'song.mp3', { allowMime: ['audio/mpeg'] })
      assert.ok(verdict.verdict === 'pass' && verdict.facts.kind === 'audio' && verdict.facts.hasVideoTrack === false)
    }
    await studio.make('frame-001.jpg', '-f', 'lavfi', '-i', 'testsrc2=size=64x64', '-frames:v', '1')
    const sequence = { path: join(studio.folder, 'frame-%03d.jpg'), contentType: 'video/mp4' }
    assert.notEqual((await runFfprobe(sequence, ['-show_streams'], { timeoutMs: 5_000 })).status, 0)
  })

  it('cannot bring quotes or control characters of theirs into an answer', async () => {
    const odd = await studio.make(
      'odd.mkv',
      ...[...testPicture, ...testSound, '-c:v', 'libx264', '-preset', 'ultrafast'],
      ...['-metadata', `title="},${secret}\u0001\n[PACKET]`, '-metadata:s:v', `rotate=nan"${secret}`],
    )
    const verdict = await walled.visit(odd, 'odd.mkv', { allowMime: ['video/matroska'] })
    assert.equal(verdict.verdict, 'pass')
    assert.ok(!JSON.stringify(verdict).includes(secret))
    const cut = await walled.visit(odd.subarray(0, odd.length >> 1), 'odd.mkv', { allowMime: ['video/matroska'] })
    assert.equal(cut.verdict, 'refuse')
    assert.ok(!JSON.stringify(cut).includes(secret))
    assert.ok((await readdir(studio.folder)).length > 3)
  })
})

describe('a film that lies about its end', () => {
  /** Five seconds by its header, and a picture in it that is shown in eleven days. */
  const lying = async (studio: Studio): Promise<Buffer> => {
    const late = ['-vf', "setpts='if(lt(N,49),PTS,1000000/TB)'", '-fps_mode', 'passthrough', '-c:v', 'mjpeg']
    const film = await studio.make('lying.mkv', '-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10:duration=5', ...late)
    film.writeDoubleBE(5_000, film.indexOf(Buffer.from('448988', 'hex')) + 3)
    film.write('000:00:04', film.indexOf('277:46:40'))
    return film
  }

  it('has no more made of it than it tells of, in the memory and the time of an honest one', { timeout: 120_000 }, async () => {
    const studio = await openStudio()
    const place = await openPlace()
    try {
      const film = await lying(studio)
      const allowMime = ['video/matroska']
      const gated = await place.visit(film, 'lying.mkv', { allowMime })
      assert.ok(gated.verdict === 'pass' && gated.facts.durationMs === 5_000, JSON.stringify(gated))
      const wishes = { scrub: strip(), moves: preview({ seconds: 0.5 }), web: video() }
      const variants = Object.entries(wishes).map(([name, recipe]) => ({ name, recipe }))
      const encoding = { cpuSeconds: 100, outputBytes: 10_000_000 }
      const given = { allowMime, purpose: 'build', variants, encoding, limits: { ...limits, timeoutMs: 90_000 } } as const
      const verdict = await place.visit(film, 'lying.mkv', given)
      assert.ok(verdict.verdict === 'pass', JSON.stringify(verdict))
      assert.deepEqual(
        verdict.variants.map((one) => (one.ok ? `${one.name} ${Math.round((one.durationMs ?? 0) / 1000)}` : one.message)),
        ['scrub 0', 'moves 0', 'web 5'],
      )
    } finally {
      await place.close()
      await studio.close()
    }
  })
})
