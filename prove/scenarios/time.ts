import { isRindleError } from '../../src/core/errors.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { expectServed, longerThanAnyJump, ownerOf, passed, picture, stateOf, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'

const expectGone = async (world: World, assetId: string, why: string): Promise<void> => {
  await world.settle()
  const state = await stateOf(world, assetId)
  world.expect(state === 'gone', `${why}, and it is ${state}`)
}

const orGone =
  ({ undisturbed }: World) =>
  (err: unknown): void => {
    if (undisturbed || !isRindleError(err) || err.code !== 'asset_not_found') throw err
  }

const unattached: Scenario = {
  name: 'never-attached',
  means: 'A picture that nobody attaches goes after an hour, as its profile says.',
  calls: ['asset'],
  async play(world) {
    const { asset } = await passed(world, { profile: 'brief' })
    await world.pass(world.undisturbed ? 4_000 : longerThanAnyJump)
    await expectGone(world, asset.id, 'the hour is over')
  },
}

const purged: Scenario = {
  name: 'purge',
  means: 'A picture is purged: at once nobody gets an address, and its files go. Again is fine, and so is one that is in the gate.',
  calls: ['purge', 'url', 'asset'],
  async play(world) {
    const { rindle } = world
    const [whole, fresh] = [await passed(world), await uploaded(world)]
    for (const { asset } of [whole, fresh]) {
      await world.call(() => rindle.purge(asset.id, { reason: 'the owner asked' })).catch(orGone(world))
      await world.refused(['asset_not_available', 'asset_not_found'], () => rindle.url(asset.id))
      await world.call(() => rindle.purge(asset.id)).catch(orGone(world))
      await expectGone(world, asset.id, 'it was purged')
    }
  },
}

const notPurged: Scenario = {
  name: 'purge-while-attached',
  means: 'What is attached is not purged; taken out of its slot it goes.',
  calls: ['purge', 'attach', 'detach'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world)
    await world.call(() => rindle.attach(asset.id, ownerOf(world), 'avatar'))
    await world.refused(['asset_attached'], () => rindle.purge(asset.id))
    await world.settle()
    await expectServed(world, asset.id, bytes)
    await world.call(() => rindle.detach(ownerOf(world), 'avatar'))
    await expectGone(world, asset.id, 'nothing holds it')
  },
}

const lives: Scenario = {
  name: 'lives-for-weeks',
  means: 'A picture that is attached, and one that is not, are there after weeks, whatever the clocks do.',
  calls: ['attach', 'url'],
  async play(world) {
    const [held, loose] = [await passed(world), await passed(world)]
    await world.call(() => world.rindle.attach(held.asset.id, ownerOf(world), 'avatar'))
    await world.pass(40 * 86_400)
    for (const { asset, bytes } of [held, loose]) await expectServed(world, asset.id, bytes)
  },
}

const strangers: Scenario = {
  name: 'strangers-in-storage',
  means: 'Storage is held against the rows: what a stranger put there is left alone, and what is ours stays.',
  calls: ['url', 'head'],
  async play(world) {
    const { asset, bytes } = await passed(world)
    const key = 'unmanaged/strange/one.png'
    await world.intrude(key, picture(world))
    await world.pass(2 * 86_400)
    const { outcome } = await world.call(() => reconcileStorage(world.ctx, { holder: world.label }))
    world.expect(outcome === 'done' || !world.undisturbed, `reconciliation ended as ${outcome}`)
    world.expect((await world.call(() => world.rindle.head('photo', key))) !== null, 'what a stranger put there is gone')
    await expectServed(world, asset.id, bytes)
  },
}

export const time: readonly Scenario[] = [unattached, purged, notPurged, lives, strangers]
