import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { memory } from '../../src/adapters/storage/memory.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { openScenarioApp } from './app.ts'
import { scenarios } from './table.ts'

describe('the scenarios', () => {
  it('are about every call that an app can make', async () => {
    const rindle = openScenarioApp({
      ...{ database: 'postgres://localhost:1/none', storage: memory(), scratchFolder: '/tmp', logger: silentLogger, overrides: {} },
    })
    const played = new Set<string>(scenarios.flatMap(({ calls }) => calls))
    assert.deepEqual(
      Object.keys(rindle).filter((call) => !played.has(call)),
      [],
      'each of these needs a scenario, or a place in the calls of one',
    )
    await rindle.close()
  })

  it('have each a name of its own and say what they are about', () => {
    const names = scenarios.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    for (const { name, means, calls } of scenarios) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/)
      assert.match(means, /^[A-Z].{20,}\.$/)
      assert.ok(calls.length > 0, name)
    }
    assert.ok(names.length >= 25)
  })

  it('make the calls that they are about', async () => {
    const folder = new URL('.', import.meta.url)
    const files = (await readdir(folder)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    const text = (await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')))).join('\n')
    for (const call of new Set(scenarios.flatMap(({ calls }) => calls)))
      assert.match(text, new RegExp(`(rindle|another)\\.${call}\\b|stored\\(world, '${call}'`), `nobody calls ${call}`)
  })
})
