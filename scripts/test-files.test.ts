import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from '../test/services/processes.ts'
import { runTestFiles, type TestCase } from './test-files.ts'

const root = new URL('..', import.meta.url).pathname

describe('the runner of test files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rindle-runner-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const run = async (text: string, timeoutSeconds = 20): Promise<TestCase[]> => {
    const file = join(folder, 'some.test.ts')
    writeFileSync(file, `import { before, describe, it } from 'node:test'\n${text}`)
    return runTestFiles([relative(root, file)], { concurrency: 1, timeoutSeconds, env: { FOLDER: folder } })
  }
  const outcomes = (cases: readonly TestCase[]) => cases.map(({ name, passed, skipped }) => [name.replace(/^.*\//, ''), passed, skipped])

  it('counts cases, not suites', async () => {
    const cases = await run(
      `describe('suite', () => { it('one', () => {}); it('two', () => { throw new Error('no') }); it.skip('three', () => {}) })`,
    )
    assert.deepEqual(outcomes(cases), [
      ['one', true, false],
      ['two', false, false],
      ['three', true, true],
    ])
    assert.match(cases[1]?.error ?? '', /Error: no/)
  })

  it('counts a suite that is skipped as a whole as one case that was', async () => {
    const cases = await run(`describe('suite', { skip: 'no service' }, () => { it('one', () => {}); it('two', () => {}) })`)
    assert.deepEqual(outcomes(cases), [['suite', true, true]])
  })

  it('fails for a file without a case', async () => assert.deepEqual(outcomes(await run('')), [['some.test.ts', false, false]]))

  it('fails for a file that does not load', async () => {
    const [found] = await run(`throw new Error('cannot load')`)
    assert.equal(found?.passed, false)
    assert.match(found?.error ?? '', /cannot load/)
  })

  it('fails for a process that dies after its cases', async () => {
    assert.ok((await run(`it('one', () => {}); process.on('exit', () => { process.exitCode = 3 })`)).some(({ passed }) => !passed))
  })

  it('kills a file that hangs, its children with it', async () => {
    const cases = await run(
      `import { spawn } from 'node:child_process'
       import { writeFileSync } from 'node:fs'
       it('fine', () => {})
       it('hangs', () => new Promise(() => {
         const child = spawn('sleep', ['100'])
         writeFileSync(process.env.FOLDER + '/child', String(child.pid))
       }))`,
      3,
    )
    assert.ok(cases.some(({ error }) => error?.includes('did not end within 3 s')))
    const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
    for (let patience = 40; isAlive(child) && patience > 0; patience--) await sleep(50)
    assert.ok(child > 0 && !isAlive(child))
  })
})
