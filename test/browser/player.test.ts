import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import type { Browser, Page } from 'playwright-core'
import { local } from '../../src/adapters/storage/local.ts'
import { createHandler } from '../../src/doors/http/index.ts'
import { createRindle, defineProfile, web } from '../../src/index.ts'
import { corpus } from '../journeys/fixtures/visits.ts'
import { launchChromium } from '../services/chromium.ts'
import { engines } from '../services/engines.ts'

const openSite = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rindle-players-'))
  const objects = join(folder, 'objects')
  await mkdir(objects)
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  const [engine] = engines.filter(({ skip }) => skip === false)
  assert.ok(engine)
  const database = await engine.open()
  const lesson = defineProfile({
    storage: local({ directory: objects }),
    allowMime: ['video/mp4', 'video/quicktime', 'video/webm', 'audio/mpeg'],
    maxBytes: 50_000_000,
    originals: { metadata: 'keep' },
    variants: web({ scrubStrip: true }),
  })
  const rindle = createRindle({
    ...{ profiles: { lesson }, database: database.given, baseUrl: `${url}/media` },
    secrets: ['a secret that only this page knows, thirty-two bytes'],
  })
  await rindle.ready()
  const worker = rindle.work()
  const door = getRequestListener(createHandler(rindle, { identify: () => null, authorize: () => true }))
  const shelf = { page: '' }
  server.on('request', (request, response) => {
    if (request.url === '/page') response.setHeader('content-type', 'text/html').end(shelf.page)
    else void door(request, response)
  })
  const close = async (): Promise<void> => {
    await worker.stop()
    await rindle.close()
    await database.close()
    server.close()
    server.closeAllConnections()
    await rm(folder, { recursive: true, force: true })
  }
  return { rindle, url, shelf, close }
}

/** What the browser makes of the one player of the page: how far it came, and what it plays how large. */
const played = (page: Page) =>
  page.locator('video, audio').evaluate(async (player) => {
    if (!(player instanceof HTMLMediaElement)) return null
    player.muted = true
    await player.play()
    const deadline = performance.now() + 10_000
    while (player.currentTime < 0.2 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
    const [width, height] = player instanceof HTMLVideoElement ? [player.videoWidth, player.videoHeight] : [0, 0]
    const source = [...player.querySelectorAll('source')].findIndex(({ src }) => src === player.currentSrc)
    return {
      moved: player.currentTime >= 0.2,
      size: `${width}x${height}`,
      said: `${player.getAttribute('width')}x${player.getAttribute('height')}`,
      source,
    }
  })

/** The thumbnails as a player finds them, and whether its strip is as large as its frames say. */
const thumbnails = (page: Page) =>
  page.locator('video').evaluate(async (player) => {
    if (!(player instanceof HTMLVideoElement)) return null
    const [track] = [...player.textTracks].filter(({ label }) => label === 'thumbnails')
    const deadline = performance.now() + 10_000
    while (!track?.cues?.length && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
    const cues = [...(track?.cues ?? [])].filter((cue) => cue instanceof VTTCue)
    const places = cues.map(({ text }) => (text.split('#xywh=')[1] ?? '').split(',').map(Number))
    const strip = new Image()
    strip.src = cues[0]?.text ?? ''
    await strip.decode()
    const [right, bottom] = [2, 3].map((side) => Math.max(...places.map((place) => (place[side - 2] ?? 0) + (place[side] ?? 0))))
    return {
      mode: track?.mode,
      fits: strip.naturalWidth === right && strip.naturalHeight >= (bottom ?? 0),
      count: cues.length,
      endsApart: Math.abs((cues.at(-1)?.endTime ?? 0) - player.duration),
    }
  })

/** Each with the size that it is played in. */
const films: Readonly<Record<string, string>> = {
  'rotated_video.mp4': '480x640',
  'rotated_hdr_video.mov': '720x1280',
  'video_with_rectangular_samples.mp4': '1280x720',
  'video_with_undefined_display_aspect_ratio.mp4': '640x480',
  'video_without_audio_stream.mp4': '640x480',
  'video.mp4': '640x480',
  'video.webm': '640x480',
}

describe('players in Chromium', { timeout: 400_000 }, () => {
  let site: Awaited<ReturnType<typeof openSite>>
  let browser: Browser
  let page: Page
  before(async () => {
    site = await openSite()
    browser = await launchChromium()
    page = await browser.newPage()
  })
  after(async () => {
    await browser?.close()
    await site?.close()
  })

  const opened = async (name: string, tag: 'videoTag' | 'audioTag') => {
    const { id } = await site.rindle.upload('lesson', await corpus(`odd/${name}`), { filename: name })
    await site.rindle.settled(id, { timeoutMs: 60_000 })
    const html = tag === 'videoTag' ? await site.rindle.videoTag({ id }) : await site.rindle.audioTag({ id })
    site.shelf.page = `<!doctype html>${html}`
    await page.goto(`${site.url}/page`)
  }

  for (const [name, size] of Object.entries(films))
    it(`play ${name} upright, with thumbnails to its end`, async () => {
      await opened(name, 'videoTag')
      assert.deepEqual(await played(page), { moved: true, size, said: size, source: 0 })
      const { count = 0, endsApart = 9, ...found } = (await thumbnails(page)) ?? {}
      assert.deepEqual(found, { mode: 'hidden', fits: true })
      assert.ok(count >= 1 && endsApart < 0.5, `${count} thumbnails, the last ends ${endsApart} s beside the film`)
    })

  for (const name of ['audio.mp3', 'video_without_video_stream.mp4'])
    it(`play the sound of ${name}`, async () => {
      await opened(name, 'audioTag')
      assert.deepEqual(await played(page), { moved: true, size: '0x0', said: 'nullxnull', source: 0 })
    })
})
