import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { chosenEngine } from '../../prove/database.ts'
import { createRandom } from '../../prove/harness.ts'
import { withoutRule } from '../../prove/model/configurations.ts'
import { explore } from '../../prove/model/explore.ts'
import { goInLockstep, walkInLockstep } from '../../prove/model/real/lockstep.ts'
import { openWorld, type World } from '../../prove/model/real/world.ts'
import { allRuleNames, realDurations, type RuleName, ruleNames, rulesWithout, type Setup } from '../../prove/model/setup.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-model-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The small world in which a rule is needed, in the library's own time. */
const worldWithout = (rule: RuleName): Setup => ({ ...withoutRule(rule), durations: realDurations, remembers: true })
const whole: Setup = { ...worldWithout('watch'), rules: rulesWithout() }
const apart = /the model has|the flows have/

describe('the model of the protocols, in lockstep with the flows', () => {
  let world: World
  before(async () => {
    world = await openWorld(chosenEngine(), whole, folder)
  })
  after(() => world.close())

  it('goes the same way as they do', async () => {
    const budget = { ...whole.budget, sign: 9, put: 9, verify: 9, claim: 9, tick: 40, sweep: 9, delete: 9, fault: 9 }
    const { steps, breach } = await walkInLockstep(world, { ...whole, budget }, createRandom(3), 40)
    assert.equal(breach, null)
    assert.ok(steps > 40)
  })

  it('is noticed to be another when a single duration of it is', async () => {
    const durations = { ...realDurations, signedWatch: realDurations.signedWatch + 1 }
    const { breach } = await goInLockstep(world, { ...whole, durations }, (_, step) => (step === 0 ? { do: 'sign', life: 0 } : null))
    assert.match(breach ?? '', apart)
  })

  for (const rule of allRuleNames) {
    it(`parts from them on the way on which it breaks without rule ${ruleNames[rule]}, since they keep it`, async () => {
      const setup = worldWithout(rule)
      const { breach: broken } = await explore(setup, { states: 100_000, endOfEvery: 1 })
      assert.ok(broken, 'nothing is broken')
      const { breach } = await goInLockstep(world, setup, (_, step) => broken.actions[step] ?? null)
      assert.match(breach ?? '', apart)
    })
  }
})
