import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { contextOf } from '../../src/context.ts'
import { executorOf } from '../../src/database/queryable.ts'
import { pglite } from '../../src/pglite.ts'
import { openScene, workIn } from './scene.ts'

/**
 * An app on an embedded database, with its worker inside. Uploads `photos` files, then works. Says when a file is at the gate, and when
 * none is left to take there; answers a message with the rows that a text selects. It ends with the process that started it.
 */
const { dataDir, photo, photos, ...scene } = JSON.parse(process.argv[2] ?? '{}')
const rindle = openScene(pglite(dataDir), scene)
process.on('disconnect', () => process.exit(0))
await rindle.migrate()
await rindle.ready()
const query = async (text: string) => (await executorOf(contextOf(rindle).db.pool).execute(text, [])).rows
process.on('message', (text) => {
  void query(String(text)).then((rows) => process.send?.({ rows }))
})

for (let count = 0; count < photos; count += 1) await rindle.upload('photo', readFileSync(photo), { filename: `${count}.jpg` })
workIn(rindle, scene)
process.send?.('working')
for (;;) {
  const [row] = await query(`
    select (select count(*)::int from rindle.media_processing_runs where state = 'processing') as at_work,
           (select count(*)::int from rindle.media_assets where state <> 'ready') as waiting`)
  if (Number(row?.['at_work']) > 0) process.send?.('decoding')
  else if (Number(row?.['waiting']) === 0) process.send?.('idle')
  await pause(10)
}
