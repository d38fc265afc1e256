import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startCohort, type Cohort } from '../../examples/cohort/server.ts'
import { launchChromium } from '../services/chromium.ts'
import { buildPage, drawing, until } from './members-page.ts'

describe('the members page', { timeout: 240_000 }, () => {
  let folder: string
  let cohort: Cohort
  let browser: Browser
  let page: Page
  const requests: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cohort-'))
    await buildPage()
    cohort = await startCohort({ folder, port: 0 })
    browser = await launchChromium()
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`))
    await page.goto(cohort.url)
  })

  after(async () => {
    await browser?.close()
    await cohort?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const objects = () => filesBelow(join(folder, 'objects'))
  const choose = (name: string, mimeType: string, buffer: Buffer) => page.setInputFiles('#avatar-file', { name, mimeType, buffer })
  const shown = () => page.locator('.card .portrait.large img').getAttribute('src')

  it('takes a photo by direct PUT and shows the thumbnail without a reload', async () => {
    await choose('me.jpg', 'image/jpeg', await drawing('#2f6f5e').jpeg().toBuffer())
    await page.waitForSelector('[data-stage="done"]', { timeout: 60_000 })
    await page.waitForSelector('.card .portrait.large img')
    assert.ok(
      requests.some((request) => /^PUT \/media\/objects\//.test(request)),
      'the bytes went by PUT to a ticket',
    )
    const drawn = await page.locator('[data-variant="thumb"] img').evaluate(async (img: HTMLImageElement) => {
      await img.decode()
      return img.naturalWidth
    })
    assert.equal(drawn, 128)
    assert.equal(requests.filter((request) => request === 'GET /').length, 1)
  })

  it('replaces it, keeps the old picture until the new one is through, and removes the old bytes from disk', async () => {
    const before = objects().filter((file) => !file.startsWith('staging'))
    const old = await shown()
    await choose('again.png', 'image/png', await drawing('#a3412c').png().toBuffer())
    await page.waitForSelector('[data-stage="checking"], [data-stage="making"], [data-stage="done"]')
    assert.ok(await shown(), 'a picture stands there all the time')
    await page.waitForFunction(
      (src) => document.querySelector<HTMLImageElement>('.card .portrait.large img')?.src !== src,
      new URL(old!, cohort.url).href,
      { timeout: 60_000 },
    )
    await until(() => before.every((file) => !objects().includes(file)))
    assert.ok(objects().length > 0)
  })

  it('says in words why a file is refused, and keeps the picture', async () => {
    const old = await shown()
    await choose('fake.jpg', 'image/jpeg', Buffer.from('<html>not a picture at all</html>'.repeat(50)))
    const words = await page.locator('[data-stage="refused"]').innerText({ timeout: 60_000 })
    assert.match(words, /really a file of type HTML/)
    assert.ok(await shown())
    assert.ok(old)
  })

  it('says the same where the gate has spoken before the file is put into its slot', async () => {
    await page.route('**/api/members/*/avatar', async (route) => {
      const { assetId } = route.request().postDataJSON()
      await until(async () => (await (await fetch(`${cohort.url}/media/assets/${assetId}`)).json()).state === 'quarantined')
      await route.continue()
    })
    await choose('other.jpg', 'image/jpeg', Buffer.from('<html>no picture either</html>'.repeat(50)))
    await page.waitForFunction(() => !document.querySelector('[data-stage="refused"]'))
    const words = await page.locator('[data-stage="refused"]').innerText({ timeout: 60_000 })
    await page.unroute('**/api/members/*/avatar')
    assert.match(words, /really a file of type HTML/)
  })

  it('is reached by keyboard, and every picture and control has a name', async () => {
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll('img, button, input, [role="progressbar"]')].filter((element) => {
          const label =
            element.getAttribute('alt') ??
            element.getAttribute('aria-label') ??
            element.closest('label')?.textContent ??
            element.textContent
          return label === null || (label.trim() === '' && element.getAttribute('alt') !== '')
        }).length,
    )
    assert.equal(unnamed, 0)
    await page.locator('#avatar-file').focus()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'avatar-remove')
  })

  it('removes it, and nothing is left on disk but what is kept in quarantine', async () => {
    await page.click('#avatar-remove')
    await page.waitForSelector('.card .portrait.large.initials')
    const { assets: kept } = await cohort.rindle.assets({ state: 'quarantined' })
    assert.equal(kept.length, 2)
    const isKept = (object: string): boolean => kept.some(({ id }) => object.startsWith(`sealed/${id}/`))
    await until(() => objects().length === kept.length && objects().every(isKept))
  })
})

const filesBelow = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  } catch {
    return []
  }
}
