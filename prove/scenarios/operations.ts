import { expectServed, expectState, passed, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'
import type { ScenarioRindle } from './app.ts'

const withAnother = async (world: World, run: (another: ScenarioRindle) => Promise<void>): Promise<void> => {
  const another = world.another()
  try {
    await run(another)
  } finally {
    await world.call(() => another.close())
  }
}

const looked: Scenario = {
  name: 'doctor',
  means: 'Everything is looked at, and nothing changes; the schema is brought to where it is already.',
  calls: ['doctor', 'migrate', 'ready', 'close'],
  async play(world) {
    const { asset, bytes } = await passed(world)
    await withAnother(world, async (another) => {
      const { applied } = await world.call(() => another.migrate())
      world.expect(applied.length === 0, 'a schema that is up to date was changed')
      await world.call(() => another.ready())
      const diagnosis = await world.call(() => another.doctor())
      world.expect(diagnosis.findings.length > 5, 'doctor looked at next to nothing')
      await expectServed(world, asset.id, bytes)
    })
  },
}

const worked: Scenario = {
  name: 'work-elsewhere',
  means: 'A worker of another process takes a file through the gate and is stopped.',
  calls: ['work', 'ready', 'close'],
  async play(world) {
    const { asset, bytes } = await uploaded(world)
    await withAnother(world, async (another) => {
      await world.call(() => another.ready())
      const worker = another.work({ concurrency: 1 })
      worker.failed.catch(() => undefined)
      await world.call(() => another.settled(asset.id, { timeoutMs: 7_200_000 }))
      await world.call(() => worker.stop())
    })
    await world.settle()
    await expectState(world, asset.id, 'ready')
    await expectServed(world, asset.id, bytes)
  },
}

export const operations: readonly Scenario[] = [looked, worked]
