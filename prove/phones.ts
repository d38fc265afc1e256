import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import type { Page } from 'playwright-core'
import { createRindle, defineProfile, image } from '../src/index.ts'
import { createHandler } from '../src/doors/http/index.ts'
import { local } from '../src/adapters/storage/local.ts'
import { launchChromium } from '../test/services/chromium.ts'
import type { EngineDatabase } from '../test/services/engines.ts'
import { chosenEngine } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { phonePictures, type PhonePicture } from './phones/pictures.ts'

/** Photos come in lying on their side, mirrored, in colours that few screens have and in formats that no browser draws. */
export const phones: Proof = {
  name: 'phones',
  means: 'photos in every orientation that Exif, HEIC and AVIF know, and odd ones, upload and show upright in Chromium',
  unit: 'pictures',
  amount: { ci: 8, full: 37 },
  async run(context) {
    const { random, amount, corpus } = context
    const pictures = random.shuffle(phonePictures(corpus[0] ?? '')).slice(0, amount)
    await using site = await openSite(context)
    const browser = await launchChromium()
    try {
      const page = await browser.newPage({ viewport: { width: 800, height: 800 } })
      let most = 0
      for (const picture of pictures) most = Math.max(most, await show(context, site, page, picture))
      return { runs: pictures.length, figures: { largestDifference: most } }
    } finally {
      await browser.close()
    }
  },
}

const slot = 'photo'
const owner = { type: 'User', id: 1 }

const openApp = (folder: string, baseUrl: string, database: EngineDatabase) => {
  const photo = defineProfile({
    storage: local({ directory: join(folder, 'objects') }),
    allowMime: ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/heic'],
    maxBytes: 50_000_000,
    variants: { thumb: image({ width: 320, height: 320 }) },
  })
  return createRindle({
    profiles: { photo },
    slots: { photo: { profile: 'photo' } },
    database: database.given,
    secrets: ['a secret that only this proof knows, thirty-two bytes or more'],
    baseUrl,
  })
}

interface Site extends AsyncDisposable {
  readonly rindle: ReturnType<typeof openApp>
  readonly url: string
  /** What `/page` and `/upright` answer with. */
  readonly shelf: { page: string; upright: Buffer }
}

/** An app with one slot, its door and a page of its own, on a free port. */
const openSite = async ({ folder }: ProofContext): Promise<Site> => {
  const shelf = { page: '', upright: Buffer.alloc(0) }
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  mkdirSync(join(folder, 'objects'), { recursive: true })
  const database = await chosenEngine().open()
  const rindle = openApp(folder, `${url}/media`, database)
  await rindle.ready()
  const worker = rindle.work()
  const door = getRequestListener(createHandler(rindle, { identify: () => null, authorize: () => true }))
  server.on('request', (request, response) => {
    if (request.url === '/page') response.setHeader('content-type', 'text/html').end(shelf.page)
    else if (request.url === '/upright') response.end(shelf.upright)
    else void door(request, response)
  })
  return {
    ...{ rindle, url, shelf },
    [Symbol.asyncDispose]: async () => {
      await worker.stop()
      await rindle.close()
      await database.close()
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Uploads one picture, draws the app's own tag for it beside how it should look, and says how far the two are apart, of 255. */
const show = async ({ breach }: ProofContext, { rindle, url, shelf }: Site, page: Page, picture: PhonePicture): Promise<number> => {
  const { filename } = picture
  const uploaded = await rindle.upload('photo', await picture.bytes(), { filename })
  await rindle.attach(uploaded, owner, slot)
  const problem = await rindle.settled(uploaded.id, { timeoutMs: 40_000 }).then(
    () => null,
    (err: unknown) => String(err),
  )
  if (problem !== null) {
    breach(`${filename} does not get in: ${problem}`)
    return 0
  }
  const asset = await rindle.asset(uploaded.id)
  shelf.page = `<!doctype html>${await rindle.pictureTag(await rindle.attachmentFor(owner, slot), { variants: ['thumb'], alt: 'it' })}<img id="upright" src="/upright">`
  shelf.upright = (await picture.upright?.()) ?? (await picture.bytes())
  await page.goto(`${url}/page`)
  const [shown, upright] = [await drawn(page, 'picture img, img[alt]'), await drawn(page, '#upright')]
  const apart = Math.max(...shown.cells.map((value, at) => Math.abs(value - (upright.cells[at] ?? 0))))
  const shape = Math.abs(shown.width / shown.height - upright.width / upright.height)
  if (shape > 0.02) breach(`${filename} is shown ${shown.width}x${shown.height}, and is ${upright.width}x${upright.height}`)
  if (asset?.width !== upright.width || asset.height !== upright.height)
    breach(`the row of ${filename} says ${asset?.width}x${asset?.height}, and it is ${upright.width}x${upright.height}`)
  const turned = Math.max(...shown.cells.map((value, at) => Math.abs(value - (upright.cells.at(-3 - at + 2 * (at % 3)) ?? 0))))
  if (picture.upright && turned <= mostApart) breach(`${filename} looks the same from both ends, so it shows nothing`)
  if (apart > mostApart) breach(`${filename} looks other than it should: ${apart} of 255 in one of its parts`)
  return apart
}

/** What scaling and encoding change in the mean of a part; a turn, a flip or a colour space forgotten changes three times as much. */
const mostApart = 14
const parts = 6

interface Drawn {
  readonly width: number
  readonly height: number
  /** Mean red, green and blue of 6 by 6 parts. */
  readonly cells: readonly number[]
}

const drawn = (page: Page, selector: string): Promise<Drawn> =>
  page
    .locator(selector)
    .first()
    .evaluate(async (element, side): Promise<Drawn> => {
      if (!(element instanceof HTMLImageElement)) return { width: 0, height: 0, cells: [] }
      await element.decode()
      const canvas = document.createElement('canvas')
      canvas.width = canvas.height = side * 16
      const context = canvas.getContext('2d', { willReadFrequently: true })
      if (context) context.imageSmoothingQuality = 'high'
      context?.drawImage(element, 0, 0, canvas.width, canvas.height)
      const cells: number[] = []
      for (let at = 0; at < side * side; at++) {
        const { data } = context?.getImageData((at % side) * 16, Math.floor(at / side) * 16, 16, 16) ?? { data: [] }
        for (let channel = 0; channel < 3; channel++) {
          let sum = 0
          for (let pixel = channel; pixel < data.length; pixel += 4) sum += data[pixel] ?? 0
          cells.push(Math.round(sum / 256))
        }
      }
      return { width: element.naturalWidth, height: element.naturalHeight, cells }
    }, parts)
