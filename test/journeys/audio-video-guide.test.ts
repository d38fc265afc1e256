import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openGuide } from './fixtures/guide.ts'
import { tagsOf } from './fixtures/tags.ts'

const guide = openGuide('audio-video')
after(() => guide.close())

const media = `import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { createRindle } from 'rindle'
import { pglite } from 'rindle/pglite'
import { lesson } from './profile.ts'

export const rindle = createRindle({
  profiles: { lesson },
  slots: { lesson: { profile: 'lesson' } },
  database: pglite(await mkdtemp(join(import.meta.dirname, 'db-'))),
  secrets: ['a secret of the guide, thirty-two bytes and more'],
  baseUrl: 'http://localhost/media',
})
`

const film = join(import.meta.dirname, '../corpus/odd/rotated_video.mp4')

const app = `import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
process.env['MEDIA_FOLDER'] = await mkdtemp(join(import.meta.dirname, 'media-'))
const { rindle } = await import('./media.ts')
const { page } = await import('./page.ts')
const { player } = await import('./player.ts')
const { stop, goOn } = await import('./stop.ts')

await rindle.migrate()
const worker = rindle.work()
const { id } = await rindle.upload('lesson', ${JSON.stringify(film)}, { filename: 'me.mp4' })
const course = { type: 'Course', id: 1 }
await rindle.attach(id, course, 'lesson')
const settled = await rindle.settled(id, { timeoutMs: 90_000 })
const { id: other } = await rindle.upload('lesson', ${JSON.stringify(film)}, { filename: 'other.mp4' })
for (let state; state !== 'transcoding'; await pause(20)) state = (await rindle.asset(other))?.state
const stopped = await stop(other, { id: '7' })
const asked = await goOn(other, { id: '7' })
await worker.stop()
const variants = Object.fromEntries((await rindle.readyVariantsFor(id)).map((one) => [one.name, one]))
const { wave, scrub_strip: strip } = variants
const early = await page(null, { id: '1' })
const shown = await page(await rindle.attachmentFor(course, 'lesson'), { id: '1' })
const own = await player(id)
console.log(JSON.stringify({ state: settled.state, names: Object.keys(variants), wave: wave?.contentType, grid: strip?.grid, early, shown, own, stopped, asked }))
await rindle.close()
`

describe('what the guide to audio and video says to paste', () => {
  before(() => {
    for (const name of ['profile', 'page', 'player', 'stop']) guide.write(`${name}.ts`, guide.block(`ts ${name}`))
    guide.write('media.ts', media)
    guide.write('app.ts', app)
  })

  it('compiles', async () => assert.deepEqual(await guide.compile(), { code: 0, output: '' }))

  it('makes of a film what it says, and plays it', async () => {
    const { code, output } = await guide.run('app.ts')
    assert.equal(code, 0, output)
    const { state, names, wave, grid, early, shown, own, stopped, asked } = JSON.parse(output)
    assert.deepEqual([state, names.join(' '), wave], ['ready', 'moves poster scrub_strip song wave web_720p', 'application/json'])
    assert.ok(stopped.length > 0)
    assert.deepEqual(asked, stopped)
    assert.deepEqual(early, { film: '<video playsinline class="lesson" poster="/lesson.svg"></video>', sound: '' })

    const [player, ...parts] = tagsOf(shown.film)
    assert.deepEqual([player?.attributes['width'], player?.attributes['height'], player?.attributes['class']], ['480', '640', 'lesson'])
    assert.deepEqual(
      parts.map(({ name, attributes: { type, label } }) => `${name} ${type ?? label}`),
      ['source video/mp4', 'source video/mp4', 'track English', 'track thumbnails'],
    )
    assert.deepEqual(
      tagsOf(shown.sound).map(({ name, attributes: { type } }) => [name, type]),
      [
        ['audio', undefined],
        ['source', 'audio/mp4'],
      ],
    )
    assert.match(own.thumbnails, /^http:\/\/localhost\/media\/tracks\//)
    assert.equal([...own.cues.matchAll(/#xywh=\d+,\d+,120,160$/gm)].length, grid.count)
    assert.ok(grid.count > 1 && own.film.startsWith('http://localhost/media/objects/') && own.poster !== own.film)
  })
})
