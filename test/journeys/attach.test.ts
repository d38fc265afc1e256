import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/core/errors.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { attachmentFor } from '../../src/flows/assets/attachment-for.ts'
import { attachmentsFor } from '../../src/flows/assets/attachments-for.ts'
import { detach } from '../../src/flows/assets/detach.ts'
import { readyVariantsFor } from '../../src/flows/assets/ready-variants-for.ts'
import { engines } from '../services/engines.ts'
import { openStage, type Stage } from './fixtures/attachments.ts'

const anna = { type: 'User', id: 7 }

const refused = (code: string) => (err: unknown) => isRindleError(err) && err.code === code

for (const engine of engines) {
  describe(`attachments on ${engine.name}`, { skip: engine.skip }, () => {
    let stage: Stage
    before(async () => {
      stage = await openStage(engine)
    })
    afterEach(() => stage.database.empty())
    after(() => stage.close())

    it('stand in their slot with the asset and its variants, whatever type the owner id has', async () => {
      const id = await stage.make('ready')
      const attached = await attach(stage.ctx, id, anna, 'avatar', { alt: 'Anna', caption: null })
      assert.equal(attached.asset.id, id)
      assert.equal(attached.standing, 'current')
      assert.deepEqual(attached.owner, { type: 'User', id: '7' })
      const read = await attachmentFor(stage.ctx, { type: 'User', id: 7n }, 'avatar')
      assert.deepEqual(read, attached)
      assert.equal(read?.variants['thumb']?.state, 'ready')
      assert.equal(read?.alt, 'Anna')
      assert.equal(read?.previous, null)
      assert.deepEqual(
        (await readyVariantsFor(stage.ctx, id)).map(({ name }) => name),
        ['thumb'],
      )
      assert.equal(await attachmentFor(stage.ctx, anna, 'cover'), null)
      assert.equal(await attachmentFor(stage.ctx, { type: 'User', id: 8 }, 'avatar'), null)
      assert.deepEqual(await stage.attachmentHistory(id), ['attach - → current'])
    })

    it('are replaced at once by what has passed the gate, and what they held goes', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('ready')]
      await attach(stage.ctx, old, anna, 'avatar')
      const replaced = await attach(stage.ctx, fresh, anna, 'avatar')
      assert.equal(replaced.asset.id, fresh)
      assert.equal(replaced.previous, null)
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, fresh)
      await stage.work()
      assert.equal(await stage.stateOf(old), 'deleted')
      assert.equal(await stage.stateOf(fresh), 'ready')
      assert.deepEqual(await stage.attachmentHistory(old), ['attach - → current', 'release current → released'])
    })

    it('show what stood there until the gate has passed its replacement, then the replacement', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      const waiting = await attach(stage.ctx, fresh, anna, 'avatar')
      assert.equal(waiting.standing, 'pending')
      assert.equal(waiting.asset.id, fresh)
      assert.equal(waiting.previous?.asset.id, old)
      assert.equal(waiting.previous?.variants['thumb']?.state, 'ready')
      assert.deepEqual(await attachmentFor(stage.ctx, anna, 'avatar'), waiting)
      await stage.work()
      assert.deepEqual(await attachmentFor(stage.ctx, anna, 'avatar'), waiting, 'nothing changes while the gate has yet to speak')

      await stage.pass(fresh)
      assert.deepEqual(await stage.work(), ['settle_slots', 'purge_asset', 'delete_object', 'delete_object'])
      const settled = await attachmentFor(stage.ctx, anna, 'avatar')
      assert.equal(settled?.standing, 'current')
      assert.equal(settled?.asset.id, fresh)
      assert.equal(settled?.previous, null)
      assert.equal(await stage.stateOf(old), 'deleted')
      assert.deepEqual(await stage.attachmentHistory(fresh), ['attach - → pending', 'replace pending → current'])
    })

    it('keep what stood there when the gate refuses its replacement', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      await attach(stage.ctx, fresh, anna, 'avatar')
      await stage.refuse(fresh)
      await stage.work()
      const left = await attachmentFor(stage.ctx, anna, 'avatar')
      assert.equal(left?.asset.id, old)
      assert.equal(left?.standing, 'current')
      assert.deepEqual(await stage.attachmentHistory(fresh), ['attach - → pending', 'refuse pending → gone'])
      assert.equal(await stage.stateOf(fresh), 'quarantined', 'its bytes are kept for a pardon')
      assert.equal((await stage.keys()).filter((key) => key.startsWith(`sealed/${fresh}`)).length, 1)
    })

    it('leave their slot empty when the gate refuses the first that was put there', async () => {
      const id = await stage.make('validating')
      assert.equal((await attach(stage.ctx, id, anna, 'avatar')).standing, 'current')
      await stage.refuse(id)
      await stage.work()
      assert.equal(await attachmentFor(stage.ctx, anna, 'avatar'), null)
      assert.deepEqual(await stage.attachmentHistory(id), ['attach - → current', 'refuse current → gone'])
    })

    it('follow the last wish: what waits gives way to what comes after it', async () => {
      const [old, first, second] = [await stage.make('ready'), await stage.make('validating'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      await attach(stage.ctx, first, anna, 'avatar')
      const waiting = await attach(stage.ctx, second, anna, 'avatar')
      assert.equal(waiting.previous?.asset.id, old)
      await stage.pass(first)
      await stage.work()
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, second)
      assert.equal(await stage.stateOf(first), 'deleted')
      await stage.pass(second)
      await stage.work()
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, second)
      assert.equal(await stage.stateOf(old), 'deleted')
    })

    it('keep words that PostgreSQL could not, without what it does not take', async () => {
      const id = await stage.make('ready')
      for (const { alt, kept } of [
        { alt: 'An\0na', kept: 'An\ufffdna' },
        { alt: 'Anna \ud800', kept: 'Anna \ufffd' },
      ]) {
        await attach(stage.ctx, id, anna, 'avatar', { alt, caption: alt })
        const read = await attachmentFor(stage.ctx, anna, 'avatar')
        assert.deepEqual([read?.alt, read?.caption], [kept, kept])
      }
    })

    it('call off a replacement when what stands there is attached again, with new words', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      const first = await attach(stage.ctx, old, anna, 'avatar', { alt: 'Anna', caption: 'In Rome' })
      await attach(stage.ctx, fresh, anna, 'avatar')
      const again = await attach(stage.ctx, old, anna, 'avatar', { alt: 'Anna again' })
      assert.deepEqual({ ...again, asset: null }, { ...first, asset: null, alt: 'Anna again' })
      assert.deepEqual(await attachmentFor(stage.ctx, anna, 'avatar'), again)
      await stage.work()
      assert.equal(await stage.stateOf(fresh), 'deleted')
      assert.equal(await stage.stateOf(old), 'ready')
    })

    it('put what waited for the gate in place when it is attached again after passing', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      await attach(stage.ctx, fresh, anna, 'avatar', { alt: 'Anna' })
      await stage.pass(fresh)
      const again = await attach(stage.ctx, fresh, anna, 'avatar')
      assert.deepEqual([again.standing, again.alt, again.previous], ['current', 'Anna', null])
      await stage.work()
      assert.equal(await stage.stateOf(old), 'deleted')
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, fresh)
    })

    it('are taken out, together with a replacement that waits', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, old, anna, 'avatar')
      await attach(stage.ctx, fresh, anna, 'avatar')
      await detach(stage.ctx, anna, 'avatar')
      assert.equal(await attachmentFor(stage.ctx, anna, 'avatar'), null)
      await detach(stage.ctx, anna, 'avatar')
      await stage.work()
      assert.deepEqual([await stage.stateOf(old), await stage.stateOf(fresh)], ['deleted', 'deleted'])
      assert.deepEqual(await stage.attachmentHistory(old), ['attach - → current', 'detach current → released'])
    })

    it('protect an asset as long as one slot shows it', async () => {
      const id = await stage.make('ready')
      await attach(stage.ctx, id, anna, 'avatar')
      await attach(stage.ctx, id, anna, 'cover')
      await detach(stage.ctx, anna, 'avatar')
      await stage.work()
      assert.equal(await stage.stateOf(id), 'ready')
      await detach(stage.ctx, anna, 'cover')
      await stage.work()
      assert.equal(await stage.stateOf(id), 'deleted')
    })

    it('keep an asset that comes back before anybody has looked', async () => {
      const id = await stage.make('ready')
      await attach(stage.ctx, id, anna, 'avatar')
      await detach(stage.ctx, anna, 'avatar')
      await attach(stage.ctx, id, anna, 'avatar')
      await stage.work()
      assert.equal(await stage.stateOf(id), 'ready')
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, id)
    })

    it('keep an order in slots that take many, and each asset once', async () => {
      const [a, b, c] = [await stage.make('ready'), await stage.make('validating'), await stage.make('ready')]
      await attach(stage.ctx, a, anna, 'gallery')
      await attach(stage.ctx, b, anna, 'gallery', { alt: 'B' })
      await attach(stage.ctx, c, anna, 'gallery', { position: -1 })
      const shown = async () => (await attachmentsFor(stage.ctx, [anna], 'gallery'))[0]?.map(({ asset, position }) => [asset.id, position])
      assert.deepEqual(await shown(), [
        [c, -1],
        [a, 0],
        [b, 1],
      ])
      await attach(stage.ctx, c, anna, 'gallery', { position: 5 })
      await attach(stage.ctx, b, anna, 'gallery', { caption: 'Second' })
      assert.deepEqual(await shown(), [
        [a, 0],
        [b, 1],
        [c, 5],
      ])
      const [list] = await attachmentsFor(stage.ctx, [anna], 'gallery')
      assert.deepEqual([list?.[1]?.alt, list?.[1]?.caption, list?.[1]?.standing], ['B', 'Second', 'current'])

      await assert.rejects(detach(stage.ctx, anna, 'gallery'), refused('asset_required'))
      await assert.rejects(attachmentFor(stage.ctx, anna, 'gallery'), refused('slot_is_many'))
      await detach(stage.ctx, anna, 'gallery', { asset: a })
      await stage.pass(b)
      await stage.work()
      assert.deepEqual(await shown(), [
        [b, 1],
        [c, 5],
      ])
      assert.deepEqual([await stage.stateOf(a), await stage.stateOf(b)], ['deleted', 'available'])
    })

    it('are read for many owners in one query, in the order asked for', async () => {
      const owners = [1, 2, 3].map((id) => ({ type: 'User', id }))
      const [a, b, c] = [await stage.make('ready'), await stage.make('ready'), await stage.make('validating')]
      await attach(stage.ctx, a, { type: 'User', id: 1 }, 'avatar')
      await attach(stage.ctx, b, { type: 'User', id: 3 }, 'avatar')
      await attach(stage.ctx, c, { type: 'User', id: 3 }, 'avatar')
      const lists = await attachmentsFor(stage.ctx, [...owners].reverse(), 'avatar')
      assert.deepEqual(
        lists.map((list) => list.map(({ asset, previous }) => [asset.id, previous?.asset.id ?? null])),
        [[[c, b]], [], [[a, null]]],
      )
      assert.deepEqual(await attachmentsFor(stage.ctx, [], 'avatar'), [])
    })

    it('take only verified assets of the slot’s profile that are not held back', async () => {
      for (const state of ['staged', 'quarantined'] as const) {
        await assert.rejects(attach(stage.ctx, await stage.make(state), anna, 'avatar'), refused('asset_not_attachable'), state)
      }
      const gone = await stage.make('ready')
      await attach(stage.ctx, gone, anna, 'avatar')
      await detach(stage.ctx, anna, 'avatar')
      await stage.work()
      await assert.rejects(attach(stage.ctx, gone, anna, 'avatar'), refused('asset_not_attachable'))
      const other = await stage.make('ready', { profile: 'fleeting' })
      await assert.rejects(attach(stage.ctx, other, anna, 'avatar'), refused('asset_profile_mismatch'))
      await assert.rejects(attach(stage.ctx, stage.ctx.ids.next(), anna, 'avatar'), refused('asset_not_found'))
      await assert.rejects(attach(stage.ctx, 'nonsense', anna, 'avatar'), refused('asset_not_found'))
      const id = await stage.make('ready')
      await assert.rejects(attach(stage.ctx, id, anna, 'portrait'), refused('slot_unknown'))
      await assert.rejects(attach(stage.ctx, id, anna, 'toString'), refused('slot_unknown'))
      await assert.rejects(attach(stage.ctx, id, { type: 'User', id: '' }, 'avatar'), refused('owner_invalid'))
      await assert.rejects(attach(stage.ctx, id, anna, 'avatar', { position: 0.5 }), refused('argument_invalid'))
      assert.equal(await attachmentFor(stage.ctx, anna, 'avatar'), null)
    })

    it('stand or fall with the transaction of the app', async () => {
      const [old, fresh] = [await stage.make('ready'), await stage.make('ready')]
      await attach(stage.ctx, old, anna, 'avatar')
      await stage.inTheirTransaction('rollback', (tx) => attach(stage.ctx, fresh, anna, 'avatar', { tx }))
      await stage.work()
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, old)
      assert.equal(await stage.stateOf(old), 'ready')

      await stage.inTheirTransaction('commit', async (tx) => {
        await attach(stage.ctx, fresh, anna, 'avatar', { tx })
        await detach(stage.ctx, { type: 'User', id: 8 }, 'avatar', { tx })
      })
      await stage.work()
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, fresh)
      assert.equal(await stage.stateOf(old), 'deleted')

      await stage.inTheirTransaction('rollback', (tx) => detach(stage.ctx, anna, 'avatar', { tx }))
      await stage.work()
      assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, fresh)
    })

    if (engine.concurrent) {
      it('are seen by nobody before the app commits, and delay no worker', async () => {
        const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
        await attach(stage.ctx, old, anna, 'avatar')
        await stage.inTheirTransaction('commit', async (tx) => {
          await attach(stage.ctx, fresh, anna, 'avatar', { tx })
          assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, old)
          await stage.pass(fresh)
          await stage.work()
        })
        await stage.work()
        assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.standing, 'current')
        assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, fresh)
        assert.equal(await stage.stateOf(old), 'deleted')
      })

      it('never wait for a slot that the app holds when the verdict is carried there, and come back to it', async () => {
        const [old, fresh] = [await stage.make('ready'), await stage.make('validating')]
        await attach(stage.ctx, old, anna, 'avatar')
        await attach(stage.ctx, fresh, anna, 'avatar')
        await attach(stage.ctx, fresh, anna, 'cover')
        await stage.inTheirTransaction('rollback', async (tx) => {
          await detach(stage.ctx, anna, 'avatar', { tx })
          await stage.pass(fresh)
          await stage.work()
          assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.previous?.asset.id, old)
        })
        const later = await stage.database.query(`select 1 from rindle_queue.job where name = 'settle_slots' and start_after > now()`)
        assert.ok(later.length > 0, 'somebody comes back within seconds')
        stage.clock.advance(61)
        await stage.sweep()
        const settled = await attachmentFor(stage.ctx, anna, 'avatar')
        assert.deepEqual([settled?.asset.id, settled?.standing], [fresh, 'current'])
      })

      it('tell a transaction with an older view that it met another', async () => {
        const [first, second] = [await stage.make('ready'), await stage.make('ready')]
        await stage.inTheirTransaction('rollback', async (tx) => {
          await tx.query('set transaction isolation level repeatable read')
          await tx.query('select 1 from rindle.media_attachments')
          await attach(stage.ctx, first, anna, 'avatar')
          await assert.rejects(attach(stage.ctx, second, anna, 'avatar', { tx }), refused('transaction_conflict'))
        })
        assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, first)
      })

      it('tell it so as well where it would find nothing to take out, or put beside it what waits', async () => {
        const [first, second, third] = [await stage.make('ready'), await stage.make('ready'), await stage.make('validating')]
        await attach(stage.ctx, first, anna, 'avatar')
        const older = async (run: (tx: unknown) => Promise<unknown>): Promise<void> => {
          await stage.inTheirTransaction('rollback', async (tx) => {
            await tx.query('set transaction isolation level repeatable read')
            await tx.query('select 1 from rindle.media_attachments')
            await attach(stage.ctx, third, anna, 'avatar')
            await attach(stage.ctx, second, anna, 'gallery')
            await assert.rejects(run(tx), refused('transaction_conflict'))
          })
          await detach(stage.ctx, anna, 'gallery', { asset: second })
          await detach(stage.ctx, anna, 'avatar', { asset: third })
        }
        await older((tx) => detach(stage.ctx, anna, 'gallery', { asset: second, tx }))
        await older((tx) => attach(stage.ctx, second, anna, 'avatar', { tx }))
      })

      it('and lets it do in its own view whatever nobody else has touched', async () => {
        const [first, second] = [await stage.make('ready'), await stage.make('ready')]
        await attach(stage.ctx, first, anna, 'avatar')
        await stage.inTheirTransaction('commit', async (tx) => {
          await tx.query('set transaction isolation level repeatable read')
          await tx.query('select 1 from rindle.media_attachments')
          await attach(stage.ctx, second, anna, 'avatar', { tx })
          await attach(stage.ctx, first, anna, 'avatar', { tx })
          await detach(stage.ctx, anna, 'avatar', { tx })
          await attach(stage.ctx, second, anna, 'avatar', { tx })
        })
        assert.equal((await attachmentFor(stage.ctx, anna, 'avatar'))?.asset.id, second)
      })
    }
  })
}
