import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { local } from '../../src/adapters/storage/local.ts'
import { contextOf } from '../../src/context.ts'
import { audio, preview, strip, video } from '../../src/core/av-recipes.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { web } from '../../src/core/presets.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { videoTag } from '../../src/doors/html/video-tag.ts'
import { createHandler } from '../../src/doors/http/index.ts'
import { type ErrorCode, isRindleError } from '../../src/index.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createSettableClock } from '../../src/testing/clock.ts'
import { createMemoryBucket } from '../../src/testing/memory-bucket.ts'
import { createTestWorker } from '../../src/testing/test-worker.ts'
import { type Engine, engines } from '../services/engines.ts'
import { openStudio, type Studio, testSound } from './fixtures/av-files.ts'
import { jsonOf, origin, send } from './fixtures/house.ts'
import { tagsOf } from './fixtures/tags.ts'
import { corpus } from './fixtures/visits.ts'

const types = ['video/mp4', 'video/quicktime', 'audio/mpeg', 'audio/mp4']
const movie = web({ scrubStrip: true })
const lessonVariants = { ...movie, web_480p: video({ width: 320, height: 240 }), moves: preview(), song: audio() }

const openCinema = async (engine: Engine) => {
  const folder = await mkdtemp(join(tmpdir(), 'rindle-player-'))
  const database = await engine.open()
  const clock = createSettableClock()
  const bucket = createMemoryBucket({ clock })
  const authorizer = { authorize: ({ actor }: { readonly actor: unknown }) => actor !== 'stranger' }
  const rest = { maxBytes: 50_000_000, allowMime: types, originals: { metadata: 'keep' } } as const
  const storage = local({ directory: folder })
  const scrubbed = (adapter: StorageAdapter) => ({ ...rest, storage: adapter, variants: { scrub: strip() } })
  const rindle = createTestRindle(
    {
      database: database.given,
      profiles: {
        lesson: defineProfile({ ...rest, storage, variants: lessonVariants, delivery: { authorizer } }),
        open: defineProfile({ ...scrubbed(storage), delivery: { public: true } }),
        far: defineProfile(scrubbed(bucket.adapter)),
      },
      slots: { lesson: { profile: 'lesson' } },
      secrets: ['a secret of the journeys, thirty-two bytes and more'],
      baseUrl: `${origin}/media`,
    },
    { clock, databaseClock: clock.database },
  )
  await rindle.ready()
  const worker = createTestWorker(rindle, clock)
  const handler = createHandler(rindle, { identify: () => null, authorize: () => true, origins: ['https://page.test'] })
  const made = async (profile: 'lesson' | 'open' | 'far', source: Buffer, filename: string) => {
    const { id } = await rindle.upload(profile, source, { filename })
    await worker.work()
    const found = await rindle.asset(id)
    assert.equal(found?.state, 'ready', JSON.stringify(found?.error))
    return found
  }
  /** What an address leads to, at our door or in the bucket. */
  const get = async (url: string, headers: Record<string, string> = {}): Promise<Response> => {
    if (url.startsWith(origin)) return handler(send('GET', url, { headers }))
    const answer = await bucket.send({ method: 'GET', url, headers, body: null })
    return new Response(Buffer.from(answer.body), { status: answer.status, headers: { ...answer.headers } })
  }
  /** As a browser loads it: each source with its type, the poster, the tracks, and what they speak of. */
  const watch = async (html: string) => {
    const [player, ...children] = tagsOf(html)
    const seen = async (url: string | undefined): Promise<string> => {
      const response = await get(url ?? '')
      const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1]
      await response.body?.cancel()
      return `${name ?? response.status} ${response.headers.get('content-type')}`
    }
    const named = (name: string) => children.filter((child) => child.name === name).map(({ attributes }) => attributes)
    const sources = named('source').map(async ({ src, type, ...more }) => ({ ...more, seen: await seen(src), type }))
    const { poster: picture, ...attributes } = player?.attributes ?? {}
    return {
      name: player?.name,
      attributes,
      poster: picture === undefined ? null : await seen(picture),
      sources: await Promise.all(sources),
      tracks: named('track'),
    }
  }
  const close = async (): Promise<void> => {
    await rindle.close()
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { rindle, ctx: contextOf(rindle), database, clock, handler, made, get, watch, close }
}

const throws = (code: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, code)
  return true
}

const cuesOf = (track: string) =>
  [...track.matchAll(/^([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)].map(([, from, to, url = '', ...place]) => ({
    ...{ from, to, url },
    place: place.map(Number),
  }))

// What is drawn is the same on every engine, and films are dear.
for (const engine of engines.slice(0, 1)) {
  describe(`players in pages, on ${engine.name}`, { skip: engine.skip }, () => {
    let cinema: Awaited<ReturnType<typeof openCinema>>
    let studio: Studio
    let phone: Awaited<ReturnType<typeof cinema.made>>
    before(async () => {
      cinema = await openCinema(engine)
      studio = await openStudio()
      phone = await cinema.made('lesson', await corpus('odd/rotated_video.mp4'), 'phone.mp4')
    })
    after(async () => {
      await cinema.close()
      await studio.close()
    })
    const owner = (id: number) => ({ type: 'Course', id })

    it('have every film with its type, the largest first, the original last, the real size, a poster and thumbnails', async () => {
      const seen = await cinema.watch(await cinema.rindle.videoTag(phone))
      const [thumbnails, ...others] = seen.tracks
      assert.deepEqual(
        [seen.name, seen.attributes, seen.poster, others],
        ['video', { controls: '', playsinline: '', preload: 'metadata', width: '480', height: '640' }, 'phone-poster.jpg image/jpeg', []],
      )
      assert.deepEqual(seen.sources, [
        { seen: 'phone-web_720p.mp4 video/mp4', type: 'video/mp4' },
        { seen: 'phone-web_480p.mp4 video/mp4', type: 'video/mp4' },
        { seen: 'phone.mp4 video/mp4', type: 'video/mp4' },
      ])
      const { src = '', ...said } = thumbnails ?? {}
      assert.deepEqual(said, { kind: 'metadata', label: 'thumbnails', default: '' })
      assert.ok(src.startsWith(`${origin}/media/tracks/`), src)
    })

    it('show what is wished for, with the attributes and tracks of the app, all of it escaped', async () => {
      const nasty = `"><script>alert('1')</script>`
      const html = await cinema.rindle.videoTag(phone, {
        variants: [['web_480p', '(max-width: 600px)'], 'web_720p'],
        ...{ poster: 'moves', strip: null, original: false },
        tracks: [{ kind: 'subtitles', src: `/de.vtt?${nasty}`, srclang: 'de', label: nasty, default: true }],
        attributes: { class: nasty, controls: false, loop: true, preload: 'none' },
      })
      assert.doesNotMatch(html, /<script/)
      const seen = await cinema.watch(html)
      assert.deepEqual(seen, {
        name: 'video',
        attributes: { class: nasty, loop: '', playsinline: '', preload: 'none', width: '240', height: '320' },
        poster: 'phone-moves.webp image/webp',
        sources: [
          { media: '(max-width: 600px)', seen: 'phone-web_480p.mp4 video/mp4', type: 'video/mp4' },
          { seen: 'phone-web_720p.mp4 video/mp4', type: 'video/mp4' },
        ],
        tracks: [{ kind: 'subtitles', label: nasty, srclang: 'de', default: '', src: `/de.vtt?${nasty}` }],
      })
    })

    it('have the sound alone, then the film it is from', async () => {
      const seen = await cinema.watch(await cinema.rindle.audioTag({ id: phone.id }, { attributes: { id: 'sound' } }))
      assert.deepEqual(seen, {
        ...{ name: 'audio', attributes: { controls: '', preload: 'metadata', id: 'sound' }, poster: null, tracks: [] },
        sources: [
          { seen: 'phone-song.m4a audio/mp4', type: 'audio/mp4' },
          { seen: 'phone.mp4 video/mp4', type: 'video/mp4' },
        ],
      })
    })

    it('are a poster while nothing plays, the original neither', async () => {
      const file = await corpus('odd/rotated_hdr_video.mov')
      const film = await cinema.made('lesson', file, 'hdr.mov')
      const whole = await cinema.watch(await cinema.rindle.videoTag(film))
      assert.deepEqual(
        whole.sources.map(({ seen }) => seen),
        ['hdr-web_720p.mp4 video/mp4', 'hdr-web_480p.mp4 video/mp4'],
      )
      await cinema.database.query(
        `update rindle.media_variants set state = 'failed', object_id = null where asset_id = $1 and name in ('web_720p', 'web_480p', 'scrub_strip')`,
        [film.id],
      )
      const early = await cinema.watch(await cinema.rindle.videoTag(film))
      assert.deepEqual(early, {
        ...{ name: 'video', attributes: { playsinline: '', width: String(film.width), height: String(film.height) } },
        ...{ poster: 'hdr-poster.jpg image/jpeg', sources: [], tracks: [] },
      })
      assert.equal(await cinema.rindle.stripTrack(film), null)
      assert.equal(await cinema.rindle.stripTrackUrl(film), null)
    })

    it('go on playing what stood there until the new film has passed, and show the placeholder where nothing stood', async () => {
      for (const one of [0, 1]) await cinema.rindle.attach(phone, owner(one), 'lesson')
      const next = await cinema.rindle.upload('lesson', await corpus('odd/video_without_audio_stream.mp4'), { filename: 'silent.mp4' })
      await cinema.rindle.attach(next, owner(1), 'lesson')
      await cinema.rindle.attach(next, owner(2), 'lesson')
      const first = async (id: number) =>
        (
          await cinema.watch(
            await cinema.rindle.videoTag(await cinema.rindle.attachmentFor(owner(id), 'lesson'), { placeholder: '/x.svg' }),
          )
        ).sources[0]?.seen
      assert.equal(await first(1), 'phone-web_720p.mp4 video/mp4')
      assert.equal(await first(2), undefined)
      for (const nothing of [null, next, { id: '01a20459-5065-7573-89b6-6c1798020b97' }]) {
        assert.equal(await cinema.rindle.videoTag(nothing), '')
        assert.equal(await cinema.rindle.audioTag(nothing), '')
        assert.equal(
          await cinema.rindle.videoTag(nothing, { placeholder: '/a"b.svg' }),
          '<video playsinline poster="/a&quot;b.svg"></video>',
        )
      }
      await assert.rejects(cinema.rindle.stripTrack(next), throws('asset_not_available'))
    })

    it('are audio for a sound with a cover, which is no film', async () => {
      const cover = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'teal' } })
        .png()
        .toBuffer()
      await writeFile(join(studio.folder, 'cover.png'), cover)
      const covered = await studio.make(
        'song.m4a',
        ...[...testSound, '-i', join(studio.folder, 'cover.png'), '-map', '0', '-map', '1'],
        ...['-c:a', 'aac', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-disposition:v:0', 'attached_pic'],
      )
      const song = await cinema.made('lesson', covered, 'song.m4a')
      assert.equal(await cinema.rindle.videoTag(song), '')
      const heard = await cinema.watch(await cinema.rindle.audioTag(song))
      assert.deepEqual(
        heard.sources.map(({ seen }) => seen),
        ['song-song.m4a audio/mp4', 'song.m4a audio/mp4'],
      )
      assert.equal(await cinema.rindle.stripTrack(song), null)
    })

    it('show thumbnails of a strip, each cue a place in it, to the end of the film, for as long as the address of the track lives', async () => {
      const address = await cinema.rindle.stripTrackUrl(phone, { variant: 'scrub_strip', expiresInSeconds: 600 })
      assert.ok(address)
      cinema.clock.advance(250)
      const response = await cinema.get(address, { origin: 'https://page.test' })
      const { date: _, ...headers } = Object.fromEntries(response.headers)
      assert.deepEqual(
        [response.status, headers],
        [
          200,
          {
            'access-control-allow-origin': 'https://page.test',
            'access-control-expose-headers': 'accept-ranges, content-disposition, content-length, content-range, etag',
            'cache-control': 'private, max-age=350',
            'content-security-policy': "default-src 'none'; sandbox",
            'content-type': 'text/vtt; charset=utf-8',
            'cross-origin-resource-policy': 'cross-origin',
            vary: 'origin',
            'x-content-type-options': 'nosniff',
          },
        ],
      )
      const cues = cuesOf(await response.text())
      assert.equal(cues.at(0)?.from, '00:00:00.000')
      assert.equal(cues.at(-1)?.to, `00:00:${((phone.durationMs ?? 0) / 1000).toFixed(3).padStart(6, '0')}`)
      assert.equal(cues.length, Math.ceil((phone.durationMs ?? 0) / 1000))

      const [{ url: sprite } = { url: '' }] = cues
      const image = await sharp(Buffer.from(await (await cinema.get(sprite)).arrayBuffer())).metadata()
      for (const { url, place } of cues) {
        const [x = -1, y = -1, width = 0, height = 0] = place
        assert.equal(url, sprite)
        assert.ok(
          x >= 0 && y >= 0 && x + width <= image.width && y + height <= image.height,
          `${place.join()} of ${image.width}x${image.height}`,
        )
        assert.ok(Math.abs(width / height - 480 / 640) < 0.05, `${width}x${height}`)
      }

      cinema.clock.advance(349)
      assert.deepEqual([(await cinema.get(address)).status, (await cinema.get(sprite)).status], [200, 200])
      cinema.clock.advance(1)
      for (const url of [address, sprite]) {
        const late = await cinema.get(url)
        assert.deepEqual([late.status, (await jsonOf(late)).error.code], [403, 'ticket_expired'])
      }
    })

    it('show them also where the strip lies in a bucket of somebody else, and none without a door of our own', async () => {
      const far = await cinema.made('far', await corpus('odd/video.mp4'), 'far.mp4')
      const text = await cinema.rindle.stripTrack(far, { expiresInSeconds: 60 })
      const [{ url } = { url: '' }] = cuesOf(text ?? '')
      assert.ok(url.startsWith('https://default.bucket.test/'), url)
      assert.deepEqual([(await cinema.get(url)).status, (await cinema.get(url)).headers.get('content-type')], [200, 'image/jpeg'])
      cinema.clock.advance(61)
      assert.equal((await cinema.get(url)).status, 403)

      const [track] = (await cinema.watch(await cinema.rindle.videoTag(far))).tracks
      assert.equal((await cinema.get(track?.['src'] ?? '')).status, 200)
      assert.deepEqual((await cinema.watch(await videoTag({ ...cinema.ctx, baseUrl: null }, far))).tracks, [])
    })

    it('keep the addresses of a public profile the same for everybody, until it is public no more or the film is gone', async () => {
      const film = await cinema.made('open', await corpus('odd/video.mp4'), 'open.mp4')
      const [address, text] = [await cinema.rindle.stripTrackUrl(film), await cinema.rindle.stripTrack(film)]
      assert.ok(address && text)
      cinema.clock.advance(40 * 86_400)
      assert.deepEqual([await cinema.rindle.stripTrackUrl(film), await cinema.rindle.stripTrack(film)], [address, text])
      const response = await cinema.get(address)
      assert.deepEqual(
        [
          response.status,
          response.headers.get('cache-control'),
          response.headers.get('access-control-allow-origin'),
          await response.text(),
        ],
        [200, 'public, max-age=31536000, immutable', '*', text],
      )
      const seen = async (): Promise<unknown[]> => {
        const answer = await cinema.get(address)
        return [answer.status, answer.ok || (await jsonOf(answer)).error.code]
      }
      const become = (change: string) => cinema.database.query(`update rindle.media_assets set ${change} where id = $1`, [film.id])
      await become(`profile = 'far'`)
      assert.deepEqual(await seen(), [404, 'object_not_found'])
      await become(`profile = 'open', state = 'quarantined', due_at = now()`)
      assert.deepEqual(await seen(), [404, 'object_not_found'])
      await become(`state = 'ready', due_at = null`)
      assert.deepEqual(await seen(), [200, true])
      await cinema.rindle.purge(film)
      assert.deepEqual(await seen(), [404, 'object_not_found'])
      await assert.rejects(cinema.rindle.stripTrack(film), throws('asset_not_found'))
    })

    it('take no track ticket that was changed, or is for something else', async () => {
      const address = (await cinema.rindle.stripTrackUrl(phone)) ?? ''
      const ticket = address.slice(address.lastIndexOf('/') + 1)
      const object = await cinema.rindle.variantUrl(phone, 'scrub_strip')
      const changed = `${ticket.slice(0, 5)}${ticket[5] === 'A' ? 'B' : 'A'}${ticket.slice(6)}`
      for (const url of [
        `${origin}/media/tracks/${changed}`,
        `${origin}/media/tracks/${object.slice(object.lastIndexOf('/') + 1)}`,
        `${origin}/media/objects/${ticket}`,
      ]) {
        const response = await cinema.get(url)
        assert.deepEqual([response.status, (await jsonOf(response)).error.code], [403, 'ticket_invalid'], url)
      }
    })

    it('lead no longer to a strip that another one took the place of', async () => {
      const film = await cinema.made('open', await corpus('odd/video.mp4'), 'again.mp4')
      const address = (await cinema.rindle.stripTrackUrl(film)) ?? ''
      const [row] = await cinema.database.query('select id, object_id from rindle.media_variants where asset_id = $1', [film.id])
      const [other] = await cinema.database.query(`select id from rindle.media_objects where asset_id = $1 and id <> $2`, [
        film.id,
        row?.['object_id'],
      ])
      assert.ok(other)
      await cinema.database.query('update rindle.media_variants set object_id = $1 where id = $2', [other['id'], row?.['id']])
      assert.equal((await cinema.get(address)).status, 404)
      const next = (await cinema.rindle.stripTrackUrl(film)) ?? ''
      assert.notEqual(next, address)
      assert.equal((await cinema.get(next)).status, 200)
    })

    it('show nothing to those whom the authorizer refuses', async () => {
      for (const call of [cinema.rindle.videoTag, cinema.rindle.audioTag]) assert.equal(await call(phone, { actor: 'stranger' }), '')
      await assert.rejects(cinema.rindle.stripTrack(phone, { actor: 'stranger' }), throws('not_authorized'))
      await assert.rejects(cinema.rindle.stripTrackUrl(phone, { actor: 'stranger' }), throws('not_authorized'))
      assert.match(await cinema.rindle.videoTag(phone, { actor: 'friend' }), /<source/)
    })

    it('take the id of an asset for the asset', async () => {
      const { rindle } = cinema
      assert.match(await rindle.videoTag(phone.id, { actor: 'friend' }), /<video .*<source/)
      assert.match(await rindle.audioTag(phone.id, { actor: 'friend' }), /<audio .*<source/)
      assert.match(await rindle.pictureTag(phone.id, { actor: 'friend' }), /<img/)
    })

    it('tell clients of the door the same, for players of their own', async () => {
      const body = await jsonOf(await cinema.get(`${origin}/media/assets/${phone.id}`))
      const { web_720p: film, scrub_strip: thumbnails, song } = body.variants
      assert.deepEqual(
        [body.contentType, body.durationMs, film.contentType, film.trackUrl],
        ['video/mp4', phone.durationMs, 'video/mp4', null],
      )
      assert.deepEqual([song.contentType, song.width, typeof song.durationMs], ['audio/mp4', null, 'number'])
      assert.equal((await cinema.get(thumbnails.trackUrl)).headers.get('content-type'), 'text/vtt; charset=utf-8')
      const unseen = createHandler(cinema.rindle, { identify: () => null, authorize: ({ action }) => action === 'asset.read' })
      const told = await jsonOf(await unseen(send('GET', `/assets/${phone.id}`)))
      assert.equal(told.variants.scrub_strip.trackUrl, null)
    })

    it('draw a film as its poster, and neither as its strip nor as what moves, unless they are asked for', async () => {
      const drawn = async (html: string) =>
        Promise.all(
          tagsOf(html).flatMap(({ attributes: { src, srcset } }) => ((src ?? srcset) ? [cinema.get(String(src ?? srcset))] : [])),
        ).then((answers) => answers.map(({ headers }) => /filename="([^"]+)"/.exec(headers.get('content-disposition') ?? '')?.[1]))
      assert.deepEqual(await drawn(await cinema.rindle.pictureTag(phone)), ['phone-poster.jpg'])
      assert.deepEqual(await drawn(await cinema.rindle.pictureTag(phone, { variants: ['moves'] })), ['phone-moves.webp'])
    })

    it('refuse what they cannot take', async () => {
      const refused = async (
        call: 'videoTag' | 'audioTag' | 'stripTrack' | 'stripTrackUrl',
        options: object,
        code: ErrorCode,
        words = /./,
      ) => {
        const tag = Reflect.apply(cinema.rindle[call], cinema.rindle, [phone, options])
        await assert.rejects(tag, (err: unknown) => throws(code)(err) && words.test(String(err)), `${call} ${JSON.stringify(options)}`)
      }
      const track = { kind: 'captions', src: '/a.vtt' }
      await refused('videoTag', { variants: ['huge'] }, 'variant_unknown')
      await refused('videoTag', { variants: ['song'] }, 'argument_invalid', /song is made by audio\(\), not by video\(\)/)
      await refused('videoTag', { poster: 'huge' }, 'variant_unknown')
      await refused('videoTag', { poster: 'web_720p' }, 'argument_invalid', /poster\(\) or preview\(\) or image\(\)/)
      await refused('videoTag', { strip: 'poster' }, 'argument_invalid')
      await refused('audioTag', { variants: ['web_720p'] }, 'argument_invalid')
      for (const name of ['src', 'width', 'poster', 'onplay', 'a b'])
        await refused('videoTag', { attributes: { [name]: 'x' } }, 'argument_invalid')
      await refused('audioTag', { attributes: { src: 'x' } }, 'argument_invalid')
      for (const call of ['videoTag', 'audioTag'] as const) {
        await refused(call, { tracks: [{ ...track, kind: 'words' }] }, 'argument_invalid', /tracks\.0: kind must be one of subtitles/)
        await refused(call, { tracks: [track, { ...track, src: '' }] }, 'argument_invalid', /tracks\.1: src/)
        await refused(call, { tracks: [{ ...track, kind: 'subtitles' }] }, 'argument_invalid', /srclang must be the language/)
        await refused(call, { tracks: [{ ...track, srclang: 'in English' }] }, 'argument_invalid', /srclang/)
        await refused(call, { tracks: [{ ...track, label: '' }] }, 'argument_invalid', /label/)
        const twice = [track, { ...track, kind: 'subtitles', srclang: 'de' }].map((one) => ({ ...one, default: true }))
        await refused(
          call,
          { tracks: twice },
          'argument_invalid',
          /tracks\.1: another track of subtitles or captions is the default already/,
        )
      }
      await refused('videoTag', { expiresInSeconds: 0 }, 'argument_invalid')
      for (const call of ['stripTrack', 'stripTrackUrl'] as const) {
        await refused(call, { variant: 'poster' }, 'argument_invalid')
        await refused(call, { variant: 'strip' }, 'variant_unknown')
        await refused(call, { expiresInSeconds: 604_801 }, 'argument_invalid')
      }
    })
  })
}
