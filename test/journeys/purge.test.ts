import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { assetMachine } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { writeWatchSeconds } from '../../src/core/patience.ts'
import { move } from '../../src/database/move.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { attachmentFor } from '../../src/flows/assets/attachment-for.ts'
import { detach } from '../../src/flows/assets/detach.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { purgeAsset } from '../../src/flows/assets/purge-asset.ts'
import { engines } from '../services/engines.ts'
import { openStage, type Stage } from './fixtures/attachments.ts'

const anna = { type: 'User', id: 7 }
const day = 86_400

const refused = (code: string) => (err: unknown) => isRindleError(err) && err.code === code

for (const engine of engines) {
  describe(`purging on ${engine.name}`, { skip: engine.skip }, () => {
    let stage: Stage
    before(async () => {
      stage = await openStage(engine)
    })
    afterEach(async () => {
      await stage.database.empty()
      for (const key of await stage.keys()) await stage.ctx.stores.at('memory:stage').delete(key)
    })
    after(() => stage.close())

    const countOf = async (table: string) => (await stage.database.query(`select 1 from rindle.${table}`)).length
    const tables = [
      'media_assets',
      'media_variants',
      'media_objects',
      'media_upload_sessions',
      'media_attachments',
      'media_processing_runs',
    ]
    /** What an operator does: refuses an asset that had passed, while its bytes are kept for a week. */
    const holdBack = (id: string) =>
      move(stage.ctx.db.pool, stage.ctx, assetMachine, id, 'refuse', {
        set: { due_at: new Date(stage.ctx.clock.now().getTime() + 7 * day * 1000) },
      })

    it('takes a detached asset’s bytes at once and its rows after a day, and leaves the history', async () => {
      const id = await stage.make('ready')
      await attach(stage.ctx, id, anna, 'avatar')
      assert.equal((await stage.keys()).length, 2)
      await detach(stage.ctx, anna, 'avatar')
      await stage.work()
      assert.deepEqual(await stage.keys(), [])
      assert.equal(await countOf('media_objects'), 0)
      assert.equal(await stage.stateOf(id), 'deleted')
      stage.clock.advance(day + 1)
      await stage.sweep()
      for (const table of tables) assert.equal(await countOf(table), 0, table)
      const moves = await stage.database.query(`select entity, move from rindle.state_moves where asset_id = $1 order by xid, seq`, [id])
      assert.deepEqual(
        moves.map(({ entity, move: name }) => `${String(entity)}.${String(name)}`).filter((name) => /doom|drop|detach|delete/.test(name)),
        ['attachment.detach', 'asset.doom', 'variant.drop', 'object.doom', 'object.doom', 'object.delete', 'object.delete'],
      )
    })

    it('is refused while a slot shows the asset or will', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      await attach(stage.ctx, fresh, anna, 'avatar')
      await assert.rejects(purge(stage.ctx, old), refused('asset_attached'))
      await assert.rejects(purge(stage.ctx, { id: fresh }), refused('asset_attached'))
      await detach(stage.ctx, anna, 'avatar')
      await purge(stage.ctx, old, { reason: 'the owner asked' })
      await purge(stage.ctx, old)
      assert.equal(await stage.stateOf(old), 'deleted')
      const [doomed] = await stage.database.query(`select reason from rindle.state_moves where entity = 'asset' and move = 'doom'`)
      assert.equal(doomed?.['reason'], 'the owner asked')
      await assert.rejects(purge(stage.ctx, stage.ctx.ids.next()), refused('asset_not_found'))
    })

    it('leaves alone what is attached, whoever asks', async () => {
      const id = await stage.make('ready', { dueIn: -1 })
      await attach(stage.ctx, id, anna, 'avatar')
      await purgeAsset(stage.ctx, id)
      assert.equal(await stage.stateOf(id), 'ready')
    })

    it('leaves alone what nobody asked about', async () => {
      const id = await stage.make('ready')
      await purgeAsset(stage.ctx, id)
      assert.equal(await stage.stateOf(id), 'ready')
    })

    it('stands or falls with the transaction of the app', async () => {
      const id = await stage.make('ready')
      await stage.inTheirTransaction('rollback', (tx) => purge(stage.ctx, id, { tx }))
      assert.equal(await stage.stateOf(id), 'ready')
      await stage.inTheirTransaction('commit', (tx) => purge(stage.ctx, id, { tx }))
      assert.equal(await stage.stateOf(id), 'deleted')
    })

    it('ends an upload that is still open, and deletes once more what lands after it', async () => {
      const id = await stage.make('staged', { ticketEndsIn: 1800 })
      await purge(stage.ctx, id)
      await stage.work()
      assert.deepEqual(await stage.keys(), [])
      const [session] = await stage.database.query('select state from rindle.media_upload_sessions')
      assert.equal(session?.['state'], 'aborted')
      const [object] = await stage.database.query('select state, key from rindle.media_objects')
      assert.equal(object?.['state'], 'watched')
      await stage.ctx.stores.at('memory:stage').put(String(object?.['key']), new Blob(['late']).stream(), { contentType: 'image/png' })
      await stage.sweep()
      assert.equal((await stage.keys()).length, 1, 'the watch has not ended')
      stage.clock.advance(writeWatchSeconds + 1)
      await stage.sweep()
      assert.deepEqual(await stage.keys(), [])
      assert.equal(await countOf('media_objects'), 0)
      stage.clock.advance(day)
      await stage.sweep()
      assert.equal(await countOf('media_assets'), 0)
    })

    it('begins for what was never attached only when its profile says so', async () => {
      const fleeting = await stage.make('ready', { profile: 'fleeting', dueIn: 3600 })
      const attached = await stage.make('ready', { profile: 'fleeting', dueIn: 3600 })
      const staying = await stage.make('ready', { dueIn: 3600 })
      await attach(stage.ctx, attached, anna, 'fleeting')
      await stage.sweep()
      assert.equal(await stage.stateOf(fleeting), 'ready')
      stage.clock.advance(3601)
      await stage.sweep()
      assert.deepEqual(
        [await stage.stateOf(fleeting), await stage.stateOf(attached), await stage.stateOf(staying)],
        ['deleted', 'ready', 'ready'],
      )
      assert.deepEqual(await stage.database.query(`select 1 from rindle.media_assets where due_at is not null and state = 'ready'`), [])
    })

    it('waits for the end of the keeping in quarantine, however often the asset is let go', async () => {
      const id = await stage.make('ready')
      await attach(stage.ctx, id, anna, 'avatar')
      await holdBack(id)
      await detach(stage.ctx, anna, 'avatar')
      await stage.sweep()
      assert.equal(await stage.stateOf(id), 'quarantined')
      assert.equal((await stage.keys()).length, 2)
      stage.clock.advance(7 * day + 1)
      await stage.sweep()
      assert.equal(await stage.stateOf(id), 'deleted')
      assert.deepEqual(await stage.keys(), [])
    })

    it('gives up the bytes of a refused asset that a slot still shows, and the asset when the slot lets it go', async () => {
      const id = await stage.make('ready')
      await attach(stage.ctx, id, anna, 'avatar')
      await holdBack(id)
      stage.clock.advance(7 * day + 1)
      await stage.sweep()
      assert.equal(await stage.stateOf(id), 'quarantined')
      assert.deepEqual(await stage.keys(), [])
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.objectId, null)
      await detach(stage.ctx, anna, 'avatar')
      await stage.work()
      assert.equal(await stage.stateOf(id), 'deleted')
    })

    it('takes what was refused at the gate once it has been kept for long enough', async () => {
      const id = await stage.make('validating')
      await attach(stage.ctx, id, anna, 'avatar')
      await stage.refuse(id)
      await stage.sweep()
      assert.equal(await stage.stateOf(id), 'quarantined')
      stage.clock.advance(7 * day + 1)
      await stage.sweep()
      assert.equal(await stage.stateOf(id), 'deleted')
    })

    if (engine.concurrent) {
      it('is refused in a transaction that cannot see who attached the asset meanwhile', async () => {
        const id = await stage.make('ready')
        await stage.inTheirTransaction('rollback', async (tx) => {
          await tx.query('set transaction isolation level repeatable read')
          await tx.query('select 1 from rindle.media_assets')
          await attach(stage.ctx, id, anna, 'avatar')
          await assert.rejects(purge(stage.ctx, id, { tx }), refused('transaction_not_supported'))
        })
        assert.equal(await stage.stateOf(id), 'ready')
      })

      it('is seen by whoever looks at an older view, though it came from a transaction that had held the asset with others', async () => {
        const id = await stage.make('ready')
        const bertha = { type: 'User', id: 8 }
        await stage.inTheirTransaction('rollback', async (late) => {
          await late.query('set transaction isolation level repeatable read')
          await late.query('select 1 from rindle.media_assets')
          // A worker's move, so that the late one begins at a version before it.
          await stage.database.query('update rindle.media_assets set metadata = metadata where id = $1', [id])
          await stage.inTheirTransaction('commit', async (going) => {
            await stage.inTheirTransaction('rollback', async (other) => {
              await attach(stage.ctx, id, bertha, 'avatar', { tx: other })
              await attach(stage.ctx, id, anna, 'avatar', { tx: going })
            })
            await detach(stage.ctx, anna, 'avatar', { tx: going })
            await purge(stage.ctx, id, { tx: going })
          })
          await assert.rejects(attach(stage.ctx, id, bertha, 'avatar', { tx: late }), refused('transaction_conflict'))
        })
        assert.equal(await stage.stateOf(id), 'deleted')
      })

      it('and attaching never both succeed, in 500 races', { timeout: 120_000 }, async () => {
        let attached = 0
        for (let round = 0; round < 125; round++) {
          const ids = await Promise.all([0, 1, 2, 3].map(() => stage.make('ready')))
          await Promise.all(
            ids.map(async (id, i) => {
              const owner = { type: 'Race', id: round * 4 + i }
              const wants = [() => attach(stage.ctx, id, owner, 'avatar'), () => purge(stage.ctx, id)]
              if (i % 2 === 1) wants.reverse()
              const results = await Promise.allSettled(wants.map((want) => want()))
              const codes = results.flatMap((result) =>
                result.status === 'rejected' && isRindleError(result.reason) ? [result.reason.code] : [],
              )
              assert.equal(codes.length, 1, JSON.stringify(results))
              assert.ok(codes[0] === 'asset_attached' || codes[0] === 'asset_not_attachable', codes[0])
              const isAttached = (await attachmentFor(stage.ctx, owner, 'avatar')) !== null
              assert.equal(await stage.stateOf(id), isAttached ? 'ready' : 'deleted')
              if (isAttached) attached += 1
            }),
          )
        }
        assert.ok(attached > 0 && attached < 500, `both orders have to occur: attached ${attached} times`)
      })

      it('waits for an attach that the app has not committed yet, and then leaves the asset alone', async () => {
        const id = await stage.make('ready')
        await attach(stage.ctx, id, anna, 'avatar')
        await detach(stage.ctx, anna, 'avatar')
        let purging: Promise<void> | null = null
        await stage.inTheirTransaction('commit', async (tx) => {
          await attach(stage.ctx, id, anna, 'cover', { tx })
          purging = purgeAsset(stage.ctx, id)
          await waitForLock(stage)
        })
        await purging
        assert.equal(await stage.stateOf(id), 'ready')
        assert.equal((await attachmentFor(stage.ctx, anna, 'cover'))?.asset.id, id)
      })
    }
  })
}

/** Resolves when some session of the database waits for another's lock. */
async function waitForLock(stage: Stage): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const { rows } = await sql`select 1 from pg_locks l join pg_database d on d.oid = l.database or l.database is null
      where not l.granted and d.datname = current_database()`.execute(stage.ctx.db.pool)
    if (rows.length > 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail('nobody came to wait')
}
