import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openGuide } from './fixtures/guide.ts'

const guide = openGuide('operations')
after(() => guide.close())

/** An app with a file in two slots, which it gives up as the guide says. */
const app = (slots: string) => `import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { createRindle, defineProfile } from 'rindle'
import { pglite } from 'rindle/pglite'
import { memory } from 'rindle/storage/memory'
import { giveUp } from './give-up.ts'

const note = defineProfile({ kind: 'file', storage: memory(), allowMime: ['text/plain'], maxBytes: 1000 })
const database = pglite(await mkdtemp(join(import.meta.dirname, 'db-')))
const rindle = createRindle({
  profiles: { note },
  slots: { paper: { profile: 'note' }, papers: { profile: 'note', many: true } },
  database,
  secrets: ['a secret of the guide, thirty-two bytes and more'],
  baseUrl: 'http://localhost/media',
})
await rindle.migrate()
const worker = rindle.work()
const { id } = await rindle.upload('note', Buffer.from('Ada wrote it.'), { filename: 'a.txt' })
await rindle.settled(id, { timeoutMs: 60_000 })
await rindle.attach(id, { type: 'user', id: '1' }, 'paper')
await rindle.attach(id, { type: 'user', id: '2' }, 'papers')
const { rows } = await database.query<{ owner_type: string; owner_id: string; slot: string }>(${JSON.stringify(slots)}, [id])
await giveUp(rindle, id, rows.map(({ owner_type: type, owner_id: owner, slot }) => ({ type, id: owner, slot })))
console.log(JSON.stringify([rows.length, await rindle.asset(id)]))
await worker.stop()
await rindle.close()
`

describe('what the guide for operators says to paste', () => {
  before(() => {
    guide.write('give-up.ts', guide.block('ts give-up'))
    guide.write('app.ts', app(guide.block('sql slots')))
  })

  it('compiles', async () => assert.deepEqual(await guide.compile(), { code: 0, output: '' }))

  it('gives a file up that slots show', async () => {
    const { code, output } = await guide.run('app.ts')
    assert.equal(code, 0, output)
    assert.deepEqual(JSON.parse(output), [2, null])
  })
})
