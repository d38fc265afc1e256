import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openGuide } from './fixtures/guide.ts'

const guide = openGuide('app-code')
after(() => guide.close())

/** An app with both profiles, which takes in one file of each kind. */
const app = `import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createRindle } from 'rindle'
import { pglite } from 'rindle/pglite'
import { note, photo } from './profile.ts'

const rindle = createRindle({
  profiles: { note, photo },
  database: pglite(await mkdtemp(join(import.meta.dirname, 'db-'))),
  secrets: ['a secret of the guide, thirty-two bytes and more'],
  baseUrl: 'http://localhost/media',
})
await rindle.migrate()
const worker = rindle.work()
const picture = (width: number) => sharp({ create: { width, height: 400, channels: 3, background: 'teal' } }).png().toBuffer()
const text = await rindle.upload('note', Buffer.from('Ada wrote it.\\nBob did not.'), { filename: 'a.txt' })
const wide = await rindle.upload('photo', await picture(900), { filename: 'wide.png' })
const narrow = await rindle.upload('photo', await picture(20), { filename: 'narrow.png' })
const [told, made, lost] = await Promise.all([text, wide, narrow].map(({ id }) => rindle.settled(id, { timeoutMs: 60_000 })))
await worker.stop()
const [preview] = await rindle.readyVariantsFor(wide)
console.log(JSON.stringify([told?.metadata['analysis'], [made?.state, preview?.contentType, preview?.width], lost?.state]))
await rindle.close()
`

describe('what the guide to analyzers and processors says to paste', () => {
  before(() => {
    guide.write('words.ts', guide.block('ts analyzer'))
    guide.write('stamped.ts', guide.block('ts processor'))
    guide.write('stamp.mjs', guide.block('js stamp.mjs'))
    guide.write('profile.ts', guide.block('ts profile'))
    guide.write('contract.test.ts', guide.block('ts contract'))
    guide.write('app.ts', app)
  })

  it('compiles', async () => assert.deepEqual(await guide.compile(), { code: 0, output: '' }))

  it('keeps both contracts', async () => {
    const { code, output } = await guide.run('contract.test.ts')
    assert.equal(code, 0, output)
    assert.match(output, /returns an object that JSON keeps as it is/)
    assert.match(output, /throws variant_failed for what it can never make/)
  })

  it('finds out and makes in an app what it says', async () => {
    const { code, output } = await guide.run('app.ts')
    assert.equal(code, 0, output)
    assert.deepEqual(JSON.parse(output), [{ words: 6, lines: 2 }, ['ready', 'image/webp', 640], 'degraded'])
  })
})
