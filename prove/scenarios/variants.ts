import { isRindleError } from '../../src/core/errors.ts'
import { expectServed, expectState, passed, stateOf, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'

/** So often somebody asks for what failed: each process of the app may fail with it once. */
const asksAtMost = 10
const patienceMs = 5_000

/** Asks for what failed or was stopped until it is there. */
export const askAgain = async (world: World, assetId: string): Promise<void> => {
  for (let asked = 0; asked < asksAtMost && (await stateOf(world, assetId)) === 'degraded'; asked += 1) {
    await world.call(() => world.rindle.requeueVariants(assetId, { actor: 'olga', reason: 'it is wanted after all' }))
    await world.settle()
  }
  await expectState(world, assetId, 'ready')
}

/** Stops what is made. Where somebody was quicker, or the answer was lost, nothing is being made any more. @returns what was stopped. */
export const stop = async (world: World, assetId: string): Promise<readonly string[]> =>
  world
    .call(() => world.rindle.cancelProcessing(assetId, { actor: 'olga', reason: 'it is not wanted' }))
    .catch((err: unknown) => {
      if (world.undisturbed || !isRindleError(err) || err.code !== 'not_processing') throw err
      return []
    })

/** Lets workers work, and does something once they are in the middle of making a variant of that kind; or are done with it all. */
export const midway = async (world: World, assetId: string, kind: 'image' | 'video', act: () => Promise<unknown>): Promise<void> => {
  const { db, changes, clock } = world.ctx
  const { promise: isMade, resolve } = Promise.withResolvers<void>()
  const look = async (): Promise<void> => {
    const all = db.pool.selectFrom('rindle.media_variants').select('id').where('asset_id', '=', assetId)
    const made = await all.where('output_kind', '=', kind).where('state', '=', 'processing').execute()
    if (made.length > 0) resolve()
  }
  const unwatch = changes.watch(assetId, () => void look().catch(() => undefined))
  const settling = world.settle()
  try {
    await Promise.race([isMade.then(() => clock.sleep(patienceMs)), settling])
    await act()
  } finally {
    unwatch()
    await settling
  }
}

/** Nothing is being made of it, and who wants to stop that is told so. */
export const expectStopped = async (world: World, assetId: string, stopped: readonly string[], expected = 'frame'): Promise<void> => {
  await world.refused(['not_processing'], () => world.rindle.cancelProcessing(assetId))
  if (!world.undisturbed) return
  world.expect(stopped.join() === expected, `stopped was ${stopped.join()}, not ${expected}`)
  await expectState(world, assetId, 'degraded')
}

const expectFramed = async (world: World, assetId: string): Promise<void> => {
  const frame = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: assetId }, 'frame')))
  world.expect(frame?.byteLength === 16, 'what the processor made is not served')
}

const askedAgain: Scenario = {
  name: 'variant-asked-again',
  means: 'A variant cannot be made; it is asked for again, once in a transaction that is rolled back, and is ready in the end.',
  calls: ['requeueVariants'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await uploaded(world, { profile: 'framed', filename: `once ${world.label}.png` })
    if (world.undisturbed) await world.refused(['state_conflict'], () => rindle.requeueVariants(asset.id))
    await world.settle()
    if (world.undisturbed) await expectState(world, asset.id, 'degraded')
    await world.refused(['variant_unknown'], () => rindle.requeueVariants(asset.id, { variants: ['frames' as 'frame'] }))
    await world.call(() => world.transaction('rollback', (tx) => rindle.requeueVariants(asset.id, { tx })))
    await world.settle()
    if (world.undisturbed) await expectState(world, asset.id, 'degraded')
    await askAgain(world, asset.id)
    world.expect((await world.call(() => rindle.requeueVariants(asset.id))).length === 0, 'what is ready is made again')
    await expectFramed(world, asset.id)
    await expectServed(world, asset.id, bytes)
  },
}

const stoppedInTime: Scenario = {
  name: 'variant-stopped-in-time',
  means: 'A variant that waits to be made is stopped, once in a transaction that is rolled back; asked for again it is made after all.',
  calls: ['cancelProcessing', 'requeueVariants'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world, { profile: 'framed', filename: `once ${world.label}.png` })
    await world.call(() => rindle.requeueVariants(asset.id, { variants: ['frame'] }))
    await world
      .call(() => world.transaction('rollback', (tx) => rindle.cancelProcessing(asset.id, { tx })))
      .catch((err: unknown) => {
        if (world.undisturbed || !isRindleError(err) || err.code !== 'not_processing') throw err
      })
    const stopped = await stop(world, asset.id)
    await world.settle()
    await expectStopped(world, asset.id, stopped)
    await expectServed(world, asset.id, bytes)
    await askAgain(world, asset.id)
    await expectFramed(world, asset.id)
  },
}

const stoppedWhileMade: Scenario = {
  name: 'variant-stopped-while-made',
  means: 'A variant is stopped while a worker makes it: nothing of it stays, and asked for again it is made.',
  calls: ['cancelProcessing', 'requeueVariants'],
  async play(world) {
    const { asset, bytes } = await passed(world, { profile: 'framed', filename: `slow ${world.label}.png` })
    await world.call(() => world.rindle.requeueVariants(asset.id))
    let stopped: readonly string[] = []
    await midway(world, asset.id, 'image', async () => (stopped = await stop(world, asset.id)))
    await expectStopped(world, asset.id, stopped)
    await expectServed(world, asset.id, bytes)
    await askAgain(world, asset.id)
    await expectFramed(world, asset.id)
  },
}

export const variants: readonly Scenario[] = [askedAgain, stoppedInTime, stoppedWhileMade]
