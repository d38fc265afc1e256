import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { runScenario } from '../../prove/nth/run.ts'
import type { Scenario, World } from '../../prove/scenarios/scenario.ts'
import { scenarios } from '../../prove/scenarios/table.ts'
import { openTestbed, type Testbed } from '../../prove/scenarios/testbed.ts'
import { engines } from '../services/engines.ts'

for (const engine of engines.filter(({ name }) => name !== 'postgres-runtime-role')) {
  describe(`the scenarios on ${engine.name}`, { skip: engine.skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-scenarios-'))
    const called = new Set<string>()
    let testbed: Testbed

    before(async () => {
      testbed = await openTestbed({ engine, folder })
    })
    after(async () => {
      await testbed.close()
      rmSync(folder, { recursive: true, force: true })
    })

    for (const scenario of scenarios)
      it(`come to a right end, having made the calls that they are about: ${scenario.name}`, async () => {
        const breaches: string[] = []
        const calls = new Set<string>()
        await runScenario({
          ...{ testbed, scenario: listening(scenario, calls), seed: 1, trouble: {}, undisturbed: true },
          breach: (text) => breaches.push(text),
        })
        assert.deepEqual(breaches, [])
        assert.deepEqual(
          scenario.calls.filter((call) => !calls.has(call)),
          [],
          'it is said to be about these, and never called them',
        )
        for (const call of calls) called.add(call)
      })

    it('make every call that an app can make', () => {
      assert.deepEqual(
        Object.keys(testbed.rindle).filter((call) => !called.has(call)),
        [],
        'each of these needs a scenario',
      )
    })
  })
}

/** The same scenario, with every call of the app written down. */
const listening = (scenario: Scenario, calls: Set<string>): Scenario => {
  const heard = <R extends World['rindle']>(rindle: R): R =>
    new Proxy(rindle, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return (...given: readonly unknown[]): unknown => {
          calls.add(String(name))
          return Reflect.apply(method, target, given)
        }
      },
    })
  return { ...scenario, play: (world) => scenario.play({ ...world, rindle: heard(world.rindle), another: () => heard(world.another()) }) }
}
