/**
 * Plays scenarios once each, undisturbed, or one with one fault: `node --conditions=rindle-source prove/nth/replay.ts [SCENARIO [PORT OPERATION
 * NTH KIND]] [--seed N]`, as a breach of `nth` names it.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chosenEngine, withOneServer } from '../database.ts'
import { scenarios } from '../scenarios/table.ts'
import { openTestbed } from '../scenarios/testbed.ts'
import { runScenario } from './run.ts'
import { striking, type Way } from './ways.ts'

const { values, positionals } = parseArgs({ options: { seed: { type: 'string', default: '1' } }, allowPositionals: true })
const [name, port, operation, nth, kind] = positionals
const say = (level: string) => (fields: object, message: string) => console.log(`${level}: ${message}`, fields)
const logger = { debug() {}, info() {}, warn: say('warn'), error: say('error') }

await withOneServer(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rindle-replay-'))
  const testbed = await openTestbed({ engine: chosenEngine(), folder, ...(port ? { logger } : {}) })
  for (const scenario of scenarios.filter((one) => name === undefined || one.name === name)) {
    const way = port ? ({ port, operation: operation ?? '', nth: Number(nth), kind: kind ?? '' } as Way) : null
    const struck = way && striking(way, testbed.clock)
    const began = performance.now()
    let breaches = 0
    await runScenario({
      ...{ testbed, scenario, seed: Number(values.seed), trouble: struck?.trouble ?? {}, undisturbed: !struck },
      breach: (text) => {
        breaches += 1
        console.log(`BREACH ${scenario.name}: ${text}`)
      },
    })
    const ms = (performance.now() - began).toFixed(0)
    console.log(`${scenario.name}: ${breaches} breaches, ${ms} ms${struck ? (struck.hasStruck() ? ', struck' : ', never struck') : ''}`)
  }
  await testbed.close()
})
process.exit()
