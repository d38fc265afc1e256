import { expectServed, expectState, expectWithheld, longerThanAnyJump, passed, picture, stateOf, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'
import { placeAt, placeMark } from './fake-decoder.ts'

const broken = (world: World) => world.random.bytes(70).fill(0x20)

const keptThenEnded: Scenario = {
  name: 'quarantine-kept-then-ended',
  means: 'The gate refuses a file; its bytes are kept for ten minutes and served to nobody, then they are gone.',
  calls: ['asset', 'url'],
  async play(world) {
    const { asset } = await passed(world, { profile: 'brief', bytes: broken(world) })
    const found = await world.call(() => world.rindle.asset(asset.id))
    world.expect(
      (found?.state === 'quarantined' && found.error?.code === 'type_unknown') || (!found && !world.undisturbed),
      `a broken file is ${found?.state}, ${found?.error?.code}`,
    )
    await expectWithheld(world, asset.id)
    await world.pass(world.undisturbed ? 1_200 : longerThanAnyJump)
    await world.settle()
    const objects = await world.call(() =>
      world.ctx.db.pool.selectFrom('rindle.media_objects').select('state').where('asset_id', '=', asset.id).execute(),
    )
    world.expect(!objects.some(({ state }) => state === 'present'), 'refused bytes are kept for longer than was said')
  },
}

const notReleasable: Scenario = {
  name: 'not-releasable',
  means: 'Nobody can release a broken file, nor what is not held back; the asset can be purged.',
  calls: ['releaseQuarantine', 'purge'],
  async play(world) {
    const { rindle } = world
    const words = { reason: 'it looks well', actor: 'olga' }
    const { asset } = await passed(world, { bytes: broken(world) })
    await world.refused(['quarantine_not_releasable'], () => rindle.releaseQuarantine(asset.id, words))
    await world.call(() => rindle.purge(asset.id)).catch(goneIsFine(world))
    await world.settle()
    world.expect((await stateOf(world, asset.id)) === 'gone', 'a purged asset is there')
    await world.refused(['asset_not_found'], () => rindle.releaseQuarantine(asset.id, words))
  },
}

const released: Scenario = {
  name: 'released',
  means: 'A scanner finds something; an operator knows better and releases the file, which is then served.',
  calls: ['releaseQuarantine', 'asset', 'url'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world, { profile: 'scanned', filename: `eicar ${world.label}.png` })
    await expectState(world, asset.id, 'quarantined')
    const words = { reason: 'a false alarm', actor: 'olga' }
    // When the answer was lost, the second call finds it released.
    await world
      .call(() => rindle.releaseQuarantine(asset.id, words))
      .catch((err: unknown) => {
        if (world.undisturbed) throw err
      })
    await world.settle()
    await expectState(world, asset.id, 'available')
    await expectServed(world, asset.id, bytes)
  },
}

const scannerShy: Scenario = {
  name: 'scanner-out-for-a-while',
  means: 'A scanner does not answer; the file waits in the gate, and passes when the scanner is back.',
  calls: ['verifyCompletion', 'url'],
  async play(world) {
    const { asset, bytes } = await uploaded(world, { profile: 'scanned', filename: `shy ${world.label}.png` })
    if (world.undisturbed) await expectWithheld(world, asset.id)
    await world.settle()
    await expectState(world, asset.id, 'available')
    await expectServed(world, asset.id, bytes)
  },
}

const framed: Scenario = {
  name: 'app-code',
  means: 'An analyzer and a processor of the app look at a file and make its variant.',
  calls: ['variantUrl', 'asset'],
  async play(world) {
    const { asset } = await passed(world, { profile: 'framed' })
    await expectState(world, asset.id, 'ready')
    const found = await world.call(() => world.rindle.asset(asset.id))
    const analysis = found?.metadata['analysis']
    world.expect(JSON.stringify(analysis)?.includes('wide') === true, 'what the analyzer found is not kept')
    const frame = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: asset.id }, 'frame')))
    world.expect(frame?.byteLength === 16, 'what the processor made is not served')
  },
}

const builtAgain: Scenario = {
  name: 'variant-built-again',
  means: 'Making a variant fails once; it is made later, and served.',
  calls: ['variantUrl', 'readyVariantsFor'],
  async play(world) {
    const { asset, bytes } = await passed(world, { profile: 'framed', filename: `again ${world.label}.png` })
    await expectState(world, asset.id, 'ready')
    const ready = await world.call(() => world.rindle.readyVariantsFor({ id: asset.id }))
    world.expect(ready.map(({ name }) => name).join() === 'frame', `${ready.length} variants are ready`)
    const frame = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: asset.id }, 'frame')))
    world.expect(frame !== null && !Buffer.from(frame).equals(Buffer.from(bytes)), 'the original is served where its variant is ready')
    await expectServed(world, asset.id, bytes)
  },
}

const neverMade: Scenario = {
  name: 'variant-never-made',
  means: 'A variant cannot be made from a file: the asset is degraded, and its original is served in the place of the variant.',
  calls: ['variantUrl', 'readyVariantsFor'],
  async play(world) {
    const { asset, bytes } = await passed(world, { profile: 'framed', filename: `never ${world.label}.png` })
    await expectState(world, asset.id, 'degraded')
    world.expect((await world.call(() => world.rindle.readyVariantsFor({ id: asset.id }))).length === 0, 'a variant that failed is ready')
    const instead = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: asset.id }, 'frame')))
    world.expect(instead !== null && Buffer.from(instead).equals(Buffer.from(bytes)), 'the original is not served in place of the variant')
  },
}

const rewritten: Scenario = {
  name: 'original-rewritten',
  means: 'A picture says where it was taken; it is served without that, and never with it.',
  calls: ['url'],
  async play(world) {
    const bytes = picture(world)
    bytes[placeAt] = placeMark
    const without = bytes.slice()
    without[placeAt] = 0
    const { asset } = await passed(world, { bytes })
    await expectState(world, asset.id, 'ready')
    await expectServed(world, asset.id, without)
  },
}

const goneIsFine =
  ({ undisturbed }: World) =>
  (err: unknown): void => {
    if (undisturbed) throw err
  }

export const gate: readonly Scenario[] = [
  ...[keptThenEnded, notReleasable, released, scannerShy],
  ...[framed, builtAgain, neverMade, rewritten],
]
