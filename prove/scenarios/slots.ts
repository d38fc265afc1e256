import { expectServed, expectState, ownerOf, passed, picture, stateOf, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'

/** What stands in the avatar of an owner. */
const shown = async (world: World, number = 0) => world.call(() => world.rindle.attachmentFor(ownerOf(world, number), 'avatar'))

const expectShown = async (world: World, assetId: string | null, number = 0): Promise<void> => {
  const found = await shown(world, number)
  const there = found && found.standing === 'current' ? found.asset.id : null
  world.expect(there === assetId, `the slot shows ${there ?? 'nothing'}, not ${assetId ?? 'nothing'}`)
}

const expectGone = async (world: World, assetId: string): Promise<void> => {
  await world.settle()
  const state = await stateOf(world, assetId)
  world.expect(state === 'gone', `nothing holds the asset any more, and it is ${state}`)
}

const replaced: Scenario = {
  name: 'attach-replace-detach',
  means: 'A picture is attached, replaced by another and taken out; each goes once nothing holds it.',
  calls: ['attach', 'attachmentFor', 'detach'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const [first, second] = [await passed(world), await passed(world)]
    await world.call(() => rindle.attach(first.asset.id, owner, 'avatar', { alt: 'the first' }))
    await expectShown(world, first.asset.id)
    await world.call(() => rindle.attach(second.asset.id, owner, 'avatar'))
    await world.settle()
    await expectShown(world, second.asset.id)
    await expectGone(world, first.asset.id)
    await expectServed(world, second.asset.id, second.bytes)
    await world.call(() => rindle.detach(owner, 'avatar'))
    await expectShown(world, null)
    await expectGone(world, second.asset.id)
  },
}

const rolledBack: Scenario = {
  name: 'attached-and-rolled-back',
  means: 'The transaction in which a picture was attached is rolled back, and with it the attachment; the next one commits.',
  calls: ['attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await uploaded(world)
    const within = (end: 'commit' | 'rollback') =>
      world.call(() => world.transaction(end, (tx) => rindle.attach(asset.id, ownerOf(world), 'avatar', { tx })))
    await within('rollback')
    await world.settle()
    await expectShown(world, null)
    await expectState(world, asset.id, 'ready')
    await within('commit')
    await world.settle()
    await expectShown(world, asset.id)
    await expectServed(world, asset.id, bytes)
  },
}

const detachRolledBack: Scenario = {
  name: 'detached-and-rolled-back',
  means: 'A picture is taken out of its slot, and another purged, in a transaction that is rolled back: both are as they were.',
  calls: ['detach', 'purge'],
  async play(world) {
    const { rindle } = world
    const [shownOne, loose] = [await passed(world), await passed(world)]
    await world.call(() => rindle.attach(shownOne.asset.id, ownerOf(world), 'avatar'))
    await world.call(() =>
      world.transaction('rollback', async (tx) => {
        await rindle.detach(ownerOf(world), 'avatar', { tx })
        await rindle.purge(loose.asset.id, { tx })
      }),
    )
    await world.settle()
    await expectShown(world, shownOne.asset.id)
    await expectServed(world, shownOne.asset.id, shownOne.bytes)
    await expectServed(world, loose.asset.id, loose.bytes)
  },
}

const gallery: Scenario = {
  name: 'gallery',
  means: 'Three pictures hang in a slot that holds many, in their order; one is taken out and goes, the others stay.',
  calls: ['attach', 'attachmentsFor', 'detach'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const all = [await uploaded(world), await uploaded(world), await uploaded(world)]
    const ids = all.map(({ asset }) => asset.id)
    for (const [place, id] of ids.entries()) await world.call(() => rindle.attach(id, owner, 'gallery', { position: 10 - place }))
    await world.settle()
    const hanging = async () => (await world.call(() => rindle.attachmentsFor([owner], 'gallery')))[0]?.map(({ asset }) => asset.id).join()
    world.expect((await hanging()) === ids.toReversed().join(), 'the pictures do not hang in their order')
    await world.refused(['asset_required'], () => rindle.detach(owner, 'gallery'))
    await world.call(() => rindle.detach(owner, 'gallery', { asset: ids[1] ?? '' }))
    world.expect((await hanging()) === [ids[2], ids[0]].join(), 'the wrong picture was taken out')
    await expectGone(world, ids[1] ?? '')
    for (const { asset, bytes } of [all[0], all[2]].flatMap((one) => one ?? [])) await expectServed(world, asset.id, bytes)
  },
}

const pending: Scenario = {
  name: 'replaced-while-in-the-gate',
  means: 'A picture that is still in the gate replaces one that is shown, and is itself replaced: the last one wins, the others go.',
  calls: ['attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const first = await passed(world)
    await world.call(() => rindle.attach(first.asset.id, owner, 'avatar'))
    const second = await uploaded(world)
    await world.call(() => rindle.attach(second.asset.id, owner, 'avatar'))
    const between = await shown(world)
    world.expect(between?.previous?.asset.id === first.asset.id || !world.undisturbed, 'what was shown before is not shown meanwhile')
    const third = await uploaded(world)
    await world.call(() => rindle.attach(third.asset.id, owner, 'avatar'))
    await world.settle()
    await expectShown(world, third.asset.id)
    await expectServed(world, third.asset.id, third.bytes)
    await expectGone(world, first.asset.id)
    await expectGone(world, second.asset.id)
  },
}

const refusedInSlot: Scenario = {
  name: 'refused-in-a-slot',
  means: 'What is to replace a picture is refused by the gate: the picture stays, and the refused one stands nowhere.',
  calls: ['attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const good = await passed(world)
    await world.call(() => rindle.attach(good.asset.id, owner, 'avatar'))
    const bad = await uploaded(world, { bytes: world.random.bytes(70).fill(0x20) })
    await world
      .call(() => rindle.attach(bad.asset.id, owner, 'avatar'))
      .catch((err: unknown) => {
        if (world.undisturbed) throw err
      })
    await world.settle()
    await expectShown(world, good.asset.id)
    await expectServed(world, good.asset.id, good.bytes)
    await expectState(world, bad.asset.id, 'quarantined')
    await world.refused(['asset_not_attachable'], () => rindle.attach(bad.asset.id, ownerOf(world, 1), 'avatar'))
  },
}

const shared: Scenario = {
  name: 'shared-by-two',
  means: 'One picture stands in the slots of two owners; it stays until both have let it go. Asked for wrongly, a slot says so.',
  calls: ['attachmentsFor', 'attachmentFor', 'detach'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world, { bytes: picture(world, 90) })
    for (const number of [0, 1]) await world.call(() => rindle.attach(asset.id, ownerOf(world, number), 'avatar'))
    const lists = await world.call(() =>
      rindle.attachmentsFor(
        [0, 1, 2].map((number) => ownerOf(world, number)),
        'avatar',
      ),
    )
    world.expect(lists.map((list) => list.length).join() === '1,1,0', 'a picture does not stand where it was put')
    await world.call(() => rindle.detach(ownerOf(world, 0), 'avatar'))
    await world.settle()
    await expectShown(world, asset.id, 1)
    await expectServed(world, asset.id, bytes)
    await world.call(() => rindle.detach(ownerOf(world, 1), 'avatar'))
    await expectGone(world, asset.id)
    await world.refused(['asset_not_attachable', 'asset_not_found'], () => rindle.attach(asset.id, ownerOf(world), 'avatar'))
  },
}

export const slots: readonly Scenario[] = [replaced, rolledBack, detachRolledBack, gallery, pending, refusedInSlot, shared]
