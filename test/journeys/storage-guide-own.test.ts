import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

const guide = readFileSync(new URL('../../docs/guides/storage.md', import.meta.url), 'utf8')

/** Within the package, so that `rindle/testing` means this one. */
const cache = join(import.meta.dirname, '../../.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'guide-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, code: string): void => writeFileSync(join(folder, name), code)

const writeBlock = (fence: string, name: string): void => {
  const [block, ...more] = [...guide.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].filter(([, named]) => named === fence)
  assert.ok(block?.[2] !== undefined && more.length === 0, `the guide has one block ${fence}`)
  write(name, block[2])
}

const run = async (name: string): Promise<{ readonly code: number; readonly output: string }> => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, ['--conditions=rindle-source', join(folder, name)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = await once(child, 'close')
  return { code: code ?? 1, output }
}

describe('what the storage guide says of a storage of one’s own', () => {
  it('tries it, and says which promise it breaks', async () => {
    writeBlock('ts contract', 'contract.test.ts')
    write(
      'my-storage.ts',
      `import { memory } from 'rindle/storage/memory'
      export const myStorage = () => memory()`,
    )
    const sound = await run('contract.test.ts')
    assert.equal(sound.code, 0, sound.output)
    assert.match(sound.output, /lists everything below a prefix/)

    write(
      'my-storage.ts',
      `import { memory } from 'rindle/storage/memory'
      export const myStorage = () => ({ ...memory(), async copy() { return null } })`,
    )
    const broken = await run('contract.test.ts')
    assert.notEqual(broken.code, 0)
    assert.match(broken.output, /✖ copies to a fresh key|not ok \d+ - copies to a fresh key/)
  })

  it('makes a bucket whose calls fail now and then', async () => {
    writeBlock('ts faults', 'faults.ts')
    write(
      'count.ts',
      `import { storage } from './faults.ts'
      const impatient = new AbortController()
      setTimeout(() => impatient.abort(), 200)
      const calls = Array.from({ length: 200 }, () => storage.head('staging/a', { signal: impatient.signal }))
      const failed = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected').length
      console.log(failed > 5 && failed < 50)`,
    )
    assert.equal((await run('count.ts')).output.trim(), 'true')
  })
})
