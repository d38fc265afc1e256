import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { startCohort, type Cohort } from '../../examples/cohort/server.ts'
import { openStudio, type Studio } from '../journeys/fixtures/av-files.ts'
import { launchChromium } from '../services/chromium.ts'
import { buildPage, until } from './members-page.ts'

const patience = { timeout: 120_000 }
/** Where a person looking at the page is wanted: one picture of every state. */
const album = process.env['SCREENSHOTS']

describe('the lessons page', { timeout: 560_000 }, () => {
  let folder: string
  let studio: Studio
  let cohort: Cohort
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cohort-lessons-'))
    studio = await openStudio()
    await buildPage()
    cohort = await startCohort({ folder: join(folder, 'cohort'), port: 0 })
    browser = await launchChromium()
    page = await opened()
  })

  after(async () => {
    await browser?.close()
    await cohort?.stop()
    await studio?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const opened = async (member?: string) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
    if (member) await context.addCookies([{ name: 'member', value: member, url: cohort.url }])
    const fresh = await context.newPage()
    fresh.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    fresh.on('pageerror', (error) => complaints.push(error.message))
    await fresh.goto(`${cohort.url}/lessons`)
    await fresh.waitForSelector('#lesson-file')
    return fresh
  }
  const photograph = async (name: string) => void (album && (await page.screenshot({ path: join(album, `${name}.png`), fullPage: true })))
  const add = async (title: string, name: string) => {
    await page.fill('#lesson-title', title)
    await page.setInputFiles('#lesson-file', join(studio.folder, name))
  }
  const card = (title: string, on = page) => on.locator('article.lesson').filter({ has: on.getByRole('heading', { name: title }) })
  const standing = (title: string, is: string) =>
    card(title)
      .and(page.locator(`[data-standing="${is}"]`))
      .waitFor(patience)
  const does = (title: string, what: string) => card(title).locator(`[data-does="${what}"]`)
  /** What the bar of a lesson says, from the first look to the last, each word once. */
  const heard = (title: string) =>
    card(title).evaluate((element) => {
      const told = new Set<string>()
      const note = () => {
        const bar = element.querySelector('[role=progressbar]')
        told.add(bar ? `${bar.getAttribute('aria-label')} ${bar.getAttribute('aria-valuenow') ?? ''}`.trim() : element.dataset.standing!)
      }
      new MutationObserver(note).observe(element, { subtree: true, childList: true, attributes: true })
      note()
      Object.assign(element, { told })
    })
  const told = (title: string) => card(title).evaluate((element) => [...(element as HTMLElement & { told: Set<string> }).told])
  const percents = (words: readonly string[]) => words.flatMap((one) => /^Making the film (\d+)$/.exec(one)?.slice(1).map(Number) ?? [])
  /** Plays it without sound, until it has come so far. */
  const played = (title: string, seconds: number, player = 'video') =>
    card(title)
      .locator(player)
      .first()
      .evaluate(async (media: HTMLVideoElement, seconds) => {
        media.muted = true
        await media.play()
        for (let left = 300; media.currentTime < seconds && left > 0; left -= 1) await new Promise((resolve) => setTimeout(resolve, 50))
        const size = `${media.videoWidth}x${media.videoHeight}`
        return { isFarEnough: media.currentTime >= seconds, size, controls: media.controls, width: media.getAttribute('width') }
      }, seconds)

  const picture = (size: string, seconds: number, rate = 25) => [
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`,
  ]
  const tone = (seconds: number) => ['-f', 'lavfi', '-i', `sine=440:duration=${seconds}`]

  it('takes a film, tells how far it is, shows its poster and then plays it', async () => {
    await photograph('1-empty')
    await studio.make('birds.mov', ...picture('640x360', 4), ...tone(4), '-c:v', 'mpeg4', '-q:v', '4', '-c:a', 'aac')
    await add('Birds at dawn', 'birds.mov')
    await card('Birds at dawn').waitFor(patience)
    await heard('Birds at dawn')
    await standing('Birds at dawn', 'ready')

    const words = await told('Birds at dawn')
    assert.ok(
      words.some((one) => one.startsWith('Making the film')),
      words.join(', '),
    )
    assert.equal(words.at(-1), 'ready')
    const poster = await card('Birds at dawn')
      .locator('video')
      .evaluate(async (video: HTMLVideoElement) => {
        const image = new Image()
        image.src = video.poster
        await image.decode()
        return `${image.naturalWidth}x${image.naturalHeight}`
      })
    assert.equal(poster, '640x360')
    assert.equal(await page.inputValue('#lesson-title'), '')
    await photograph('2-ready')
    assert.deepEqual(await played('Birds at dawn', 0.5), { isFarEnough: true, size: '640x360', controls: true, width: '640' })
  })

  it('goes to the moments that its thumbnails show, by keyboard as well', async () => {
    const moments = card('Birds at dawn').locator('.moments button')
    await moments.first().waitFor(patience)
    assert.ok((await moments.count()) >= 2)
    const last = moments.last()
    const [, clock = ''] = /Play from (\S+)/.exec((await last.getAttribute('aria-label')) ?? '') ?? []
    const [minutes = 0, seconds = 0] = clock.split(':').map(Number)
    await last.focus()
    await page.keyboard.press('Enter')
    await until(async () => {
      const at = await card('Birds at dawn')
        .locator('video')
        .evaluate((video: HTMLVideoElement) => video.currentTime)
      return at >= minutes * 60 + seconds - 0.5
    })
    await photograph('3-playing')
  })

  it('stops a long one when asked, says so, and makes it after all when asked again', async () => {
    const source = [...picture('1440x810', 2, 8), ...tone(2)]
    await studio.make('short.mp4', ...source, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac')
    await studio.make('the-long_walk.mp4', '-stream_loop', '59', '-i', join(studio.folder, 'short.mp4'), '-c', 'copy')
    await add('', 'the-long_walk.mp4')
    const title = 'the long walk'
    await card(title).waitFor(patience)
    await heard(title)
    await photograph('4-checking')
    await until(async () => percents(await told(title)).filter((percent) => percent > 0 && percent < 90).length >= 3, 120)
    await card(title).locator('video[poster]').waitFor(patience)
    await photograph('5-making')
    assert.equal(await card(title).locator('video').getAttribute('controls'), null, 'the poster alone')

    await does(title, 'stop').focus()
    await page.keyboard.press('Enter')
    await standing(title, 'stopped')
    assert.match(await card(title).innerText(), /Stopped before all of it was made/)
    await photograph('6-stopped')
    assert.ok(percents(await told(title)).every((percent) => percent < 100))
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-does')), 'make', 'the focus stays')

    await page.keyboard.press('Enter')
    await standing(title, 'making')
    await standing(title, 'ready')
    assert.deepEqual(await played(title, 0.5), { isFarEnough: true, size: '1280x720', controls: true, width: '1280' })
  })

  it('plays a recording without pictures, and leaves what plays alone while others change', async () => {
    await studio.make('river.mp3', ...tone(5))
    await add('The river', 'river.mp3')
    await standing('The river', 'ready')
    assert.deepEqual(await card('The river').locator('video, .screen').count(), 0)
    assert.equal((await played('The river', 0.5, 'audio')).isFarEnough, true)
    assert.ok((await played('Birds at dawn', 0.5)).isFarEnough)
    await photograph('7-sound')
  })

  it('says in words why a file is refused, and takes it off the list when asked', async () => {
    await writeFile(join(studio.folder, 'fake.mp4'), '<html>not a film at all</html>'.repeat(50))
    await add('No film', 'fake.mp4')
    await standing('No film', 'refused')
    assert.match(await card('No film').innerText(), /really a file of type HTML/)
    await photograph('8-refused')
    await does('No film', 'remove').click()
    await card('No film').waitFor({ state: 'detached' })
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'lessons-title')
  })

  it('is for everybody to see, and for nobody else to change', async () => {
    const hers = await opened('hana')
    await card('Birds at dawn', hers).locator('video[controls]').waitFor(patience)
    assert.equal(await hers.locator('[data-does]').count(), 0)
    const { lessons } = await (await fetch(`${cohort.url}/api/lessons`)).json()
    for (const [method, path] of [
      ['POST', 'stop'],
      ['POST', 'make'],
      ['DELETE', ''],
    ]) {
      const answer = await fetch(`${cohort.url}/api/lessons/${lessons[0].id}/${path}`.replace(/\/$/, ''), {
        method: method!,
        headers: { cookie: 'member=hana' },
      })
      assert.equal(answer.status, 403)
    }
    await hers.close()
  })

  it('names every control, player and bar, and says aloud what becomes of a lesson', async () => {
    const unnamed = await page.evaluate(
      () =>
        [...document.querySelectorAll('img, button, input, video, audio, [role="progressbar"]')].filter(
          (element) => !(element.getAttribute('aria-label') ?? element.closest('label')?.textContent ?? element.textContent)?.trim(),
        ).length,
    )
    assert.equal(unnamed, 0)
    assert.match(await card('Birds at dawn').getByRole('status').innerText(), /Birds at dawn is ready/)
    assert.deepEqual(complaints, [])
  })

  it('fits on a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.equal(tooWide, 0)
    await photograph('9-phone')
  })

  it('takes the files of a lesson away with it', async () => {
    const { lessons } = await (await fetch(`${cohort.url}/api/lessons`)).json()
    for (const { title } of lessons) await does(title, 'remove').click()
    await page.locator('.empty').waitFor(patience)
    await until(async () => {
      const { assets } = await cohort.rindle.assets({ profile: 'lesson' })
      return assets.every(({ state }) => state === 'quarantined')
    })
  })
})
