import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { isRindleError } from '../core/errors.ts'
import { lockDirectory } from './directory-lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-lock-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const inUseBy = (directory: string, pid: number | null) => (err: unknown) => {
  assert.ok(isRindleError(err) && err.code === 'database_in_use', String(err))
  assert.deepEqual(err.details, { directory, pid })
  return true
}

/** The id of a process that has ended. */
const deadPid = async () => {
  const child = spawn(process.execPath, ['-e', '0'])
  await once(child, 'exit')
  return child.pid ?? 0
}

for (const platform of ['linux', 'darwin'] as const) {
  describe(`a directory's lock on ${platform}`, { skip: platform === 'linux' && process.platform !== 'linux' }, () => {
    it('is held once, names its holder, and can be had again when it was given back', async () => {
      const directory = join(folder, platform)
      const lock = await lockDirectory(directory, platform)
      assert.equal(readFileSync(`${directory}.pid`, 'utf8'), `${process.pid}\n`)
      await assert.rejects(lockDirectory(directory, platform), inUseBy(directory, process.pid))
      await lock.release()
      assert.equal(existsSync(`${directory}.pid`), false)
      await (await lockDirectory(directory, platform)).release()
    })

    it('is that of one directory alone', async () => {
      const locks = [
        await lockDirectory(join(folder, `${platform}-a`), platform),
        await lockDirectory(join(folder, `${platform}-b`), platform),
      ]
      for (const lock of locks) await lock.release()
    })

    it('is not kept by what a dead process has left', async () => {
      const directory = join(folder, `${platform}-dead`)
      writeFileSync(`${directory}.pid`, `${await deadPid()}\n`)
      const lock = await lockDirectory(directory, platform)
      assert.equal(readFileSync(`${directory}.pid`, 'utf8'), `${process.pid}\n`)
      await lock.release()
    })
  })
}

describe("a directory's lock in a file", () => {
  it('is never taken from a living process, nor when nobody knows whose it is', async () => {
    const directory = join(folder, 'living')
    writeFileSync(`${directory}.pid`, `${process.ppid}\n`)
    await assert.rejects(lockDirectory(directory, 'darwin'), inUseBy(directory, process.ppid))
    writeFileSync(`${directory}.pid`, '')
    await assert.rejects(lockDirectory(directory, 'darwin'), inUseBy(directory, null))
  })

  it('goes to one of several that find its holder dead', async () => {
    const directory = join(folder, 'several')
    writeFileSync(`${directory}.pid`, `${await deadPid()}\n`)
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => lockDirectory(directory, 'darwin')))
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  })
})
