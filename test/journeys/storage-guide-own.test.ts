import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openGuide } from './fixtures/guide.ts'

const { block, write, run, close } = openGuide('storage')
after(close)

describe('what the storage guide says of a storage of one’s own', () => {
  it('tries it, and says which promise it breaks', async () => {
    write('contract.test.ts', block('ts contract'))
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
    write('faults.ts', block('ts faults'))
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
