import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ListMultipartUploadsCommand, ListObjectsV2Command, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import type { Browser, Page, Route } from 'playwright-core'
import { trialBucket } from '../../examples/cohort/bucket.ts'
import { type Cohort, startCohort } from '../../examples/cohort/server.ts'
import { launchChromium } from '../services/chromium.ts'
import { openBucket, skipWithoutGateway, type TestBucket } from '../services/bucket.ts'
import { buildPage, drawing, until } from './members-page.ts'

const partBytes = 5 * 2 ** 20

describe('the members page with its files in a bucket', { skip: skipWithoutGateway, timeout: 280_000 }, () => {
  let folder: string
  let bucket: TestBucket
  let cohort: Cohort
  let browser: Browser
  let page: Page
  let sent: { readonly method: string; readonly url: URL }[] = []
  const complaints: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cohort-s3-'))
    await buildPage()
    bucket = await openBucket()
    cohort = await startCohort({ folder, port: 0, storageFor: (url) => trialBucket(bucket, bucket.bucket, [url]) })
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.on('request', (request) => sent.push({ method: request.method(), url: new URL(request.url()) }))
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(cohort.url)
  })

  after(async () => {
    await browser?.close()
    await cohort?.stop()
    await bucket?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const choose = (path: string) => {
    sent = []
    return page.setInputFiles('#avatar-file', path)
  }
  const photo = async (background: string) => {
    const path = join(folder, `${background.slice(1)}.jpg`)
    await drawing(background).jpeg().toFile(path)
    return path
  }
  /** Uncompressed: 18 MB, four parts. */
  const large = async (background: string) => {
    const path = join(folder, `${background.slice(1)}.png`)
    const { size } = await drawing(background, 2250, 2000).png({ compressionLevel: 0 }).toFile(path)
    assert.equal(Math.ceil(size / partBytes), 4)
    return path
  }
  const isToBucket = (url: URL | string) => new URL(url).origin === bucket.endpoint
  const puts = () => sent.filter(({ method, url }) => method === 'PUT' && isToBucket(url))
  const through = () => page.waitForSelector('[data-stage="done"]', { timeout: 60_000 })
  /** The addresses' signatures differ each time; the key does not. */
  const shown = () =>
    page.locator('.card .portrait.large img').evaluate((img: HTMLImageElement) => new URL(img.currentSrc || img.src).pathname)
  const keys = async () => {
    const { Contents = [] } = await bucket.client.send(new ListObjectsV2Command({ Bucket: bucket.bucket }))
    return Contents.map(({ Key }) => Key ?? '')
  }

  it('takes a photo by one PUT straight to the bucket, and fetches the thumbnail from there', async () => {
    await choose(await photo('#2f6f5e'))
    await through()
    assert.equal(puts().length, 1)
    assert.match(puts()[0]?.url.pathname ?? '', /\/staging\//)
    assert.ok(!sent.some(({ url }) => url.pathname.startsWith('/media/objects/')), 'no bytes passed through the app')
    const [drawn, origin] = await page.locator('[data-variant="thumb"] img').evaluate(async (img: HTMLImageElement) => {
      await img.decode()
      return [img.naturalWidth, new URL(img.src).origin] as const
    })
    assert.deepEqual([drawn, origin], [128, bucket.endpoint])
    assert.deepEqual(complaints, [])
  })

  it('sends a large one in parts, and removes from the bucket what it replaces', async () => {
    const before = (await keys()).filter((key) => !key.startsWith('staging/'))
    assert.equal(before.length, 4, 'the sealed original and three sizes')
    const old = await shown()
    await choose(await large('#a3412c'))
    await page.waitForSelector('[data-stage="checking"], [data-stage="making"], [data-stage="done"]', { timeout: 60_000 })
    assert.ok(await shown(), 'a picture stands there all the time')
    await through()
    await until(async () => (await shown()) !== old)

    const parts = puts().map(({ url }) => Number(url.searchParams.get('partNumber')))
    assert.deepEqual(
      parts.toSorted((a, b) => a - b),
      [1, 2, 3, 4],
    )
    await until(async () => {
      const left = await keys()
      return before.every((key) => !left.includes(key))
    })
    assert.equal((await keys()).filter((key) => !key.startsWith('staging/')).length, 4)
    assert.deepEqual(complaints, [])
  })

  it('sends a part again that broke off or whose ticket was not taken, three at a time at most', async () => {
    const old = await shown()
    const tries = new Map<string, number>()
    let [under, most] = [0, 0]
    const three = Promise.withResolvers<void>()
    const troubled = async (route: Route) => {
      most = Math.max(most, ++under)
      if (under === 3) three.resolve()
      await three.promise
      await new Promise((resolve) => setTimeout(resolve, 400))
      under -= 1
      const part = new URL(route.request().url()).searchParams.get('partNumber') ?? ''
      tries.set(part, (tries.get(part) ?? 0) + 1)
      if (part === '2' && tries.get(part) === 1) return route.abort('connectionreset')
      if (part === '3' && tries.get(part) === 1) return route.fulfill({ status: 403, headers: { 'access-control-allow-origin': '*' } })
      return route.continue()
    }
    await page.route(/[?&]partNumber=/, troubled)
    await choose(await large('#3b5b8c'))
    await until(async () => (await page.locator('.card .portrait.large img').count()) === 1 && (await shown()) !== old)
    await page.unroute(/[?&]partNumber=/)
    assert.deepEqual(Object.fromEntries(tries), { 1: 1, 2: 2, 3: 2, 4: 1 })
    assert.equal(most, 3)
    for (const part of [2, 3]) {
      const signed = sent.filter(({ method, url }) => method === 'POST' && url.pathname.endsWith(`/parts/${part}/sign`))
      assert.equal(signed.length, 2, `part ${part} was signed twice`)
    }
  })

  it('goes on to the verification when a photo landed whose answer was lost', async () => {
    await through()
    const old = await shown()
    const path = await photo('#5a4726')
    const statuses: number[] = []
    const lost = async (route: Route) => {
      const request = route.request()
      if (statuses.length > 0) return route.continue()
      const answer = await fetch(request.url(), { method: 'PUT', headers: await request.allHeaders(), body: await readFile(path) })
      statuses.push(answer.status)
      return route.abort('connectionreset')
    }
    page.on(
      'response',
      (response) => response.request().method() === 'PUT' && isToBucket(response.url()) && statuses.push(response.status()),
    )
    await page.route(isToBucket, lost)
    await choose(path)
    await until(async () => (await shown()) !== old)
    await page.unroute(isToBucket)
    assert.deepEqual(statuses, [200, 412])
  })

  it('gives an upload up that is cancelled by keyboard, and keeps the picture', async () => {
    await through()
    const old = await shown()
    await page.route(/[?&]partNumber=/, () => undefined)
    await choose(await large('#000000'))
    const cancel = page.getByRole('button', { name: 'Cancel' })
    await cancel.waitFor()
    await until(async () => puts().length === 3)
    const { Uploads: open = [] } = await bucket.client.send(new ListMultipartUploadsCommand({ Bucket: bucket.bucket }))
    assert.equal(open.length, 1)

    const answered = page.waitForResponse((response) => response.request().method() === 'DELETE')
    await page.locator('#avatar-file').focus()
    await page.keyboard.press('Tab')
    assert.ok(await cancel.evaluate((button) => button === document.activeElement))
    await page.keyboard.press('Enter')
    const answer = await answered
    assert.equal(answer.status(), 200)
    assert.equal((await answer.json()).session.state, 'aborted')
    await page.waitForSelector('[data-stage]', { state: 'detached' })
    await page.unroute(/[?&]partNumber=/)
    assert.equal(await shown(), old)
  })

  it('says in words that the bucket does not let the page send, and gives the upload up', async () => {
    const rule = { AllowedOrigins: ['https://elsewhere.example'], AllowedMethods: ['PUT'], AllowedHeaders: ['*'] }
    await bucket.client.send(new PutBucketCorsCommand({ Bucket: bucket.bucket, CORSConfiguration: { CORSRules: [rule] } }))
    const answered = page.waitForResponse((response) => response.request().method() === 'DELETE', { timeout: 60_000 })
    await choose(await photo('#2f6f5e'))
    const words = await page.locator('[data-stage="refused"][role="alert"]').innerText({ timeout: 60_000 })
    assert.match(words, /storage cannot be reached.*CORS/)
    assert.equal((await answered).status(), 200)
    assert.ok(await shown())
  })
})
