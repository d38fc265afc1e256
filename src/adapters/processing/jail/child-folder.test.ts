import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { makeChildFolder } from './child-folder.ts'
import { lineReader } from './protocol.ts'

describe('the folder of a decoder', () => {
  let scratch = ''
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), 'rindle-folder-'))))
  afterEach(() => rmSync(scratch, { recursive: true, force: true }))

  it('is emptied of a few files at once, and left to be removed where there are many or a folder', () => {
    const folder = makeChildFolder(scratch)
    for (let index = 0; index < 64; index++) writeFileSync(join(folder.output, String(index)), '')
    assert.equal(folder.empty(), true)
    for (let index = 0; index < 65; index++) writeFileSync(join(folder.output, String(index)), '')
    assert.equal(folder.empty(), false)
    const other = makeChildFolder(scratch)
    mkdirSync(join(other.output, 'inside'))
    assert.equal(other.empty(), false)
  })

  it('goes with folders in folders that nobody may look into', async () => {
    const folder = makeChildFolder(scratch)
    const inner = join(folder.output, 'a', 'b')
    mkdirSync(inner, { recursive: true })
    for (let index = 0; index < 1_500; index++) writeFileSync(join(inner, String(index)), '')
    chmodSync(inner, 0)
    chmodSync(join(folder.output, 'a'), 0)
    await folder.remove()
    assert.equal(existsSync(folder.output), false)
  })

  it('holds a copy of its own of the file, where no sandbox keeps it from being written to', async () => {
    const path = join(scratch, 'file')
    writeFileSync(path, 'bytes')
    const apart = makeChildFolder(scratch, { isApart: true })
    const open = makeChildFolder(scratch, { isApart: false })
    assert.equal(statSync(await apart.bringIn(path)).ino, statSync(path).ino)
    writeFileSync(await open.bringIn(path), 'other')
    assert.equal(readFileSync(path, 'utf8'), 'bytes')
  })
})

describe('the lines of a decoder', () => {
  it('are read no further once one was refused, however many follow', () => {
    let heard = 0
    const read = lineReader(
      100,
      () => ++heard < 2,
      () => assert.fail('nothing is overlong'),
    )
    for (let chunk = 0; chunk < 100; chunk++) read('\n'.repeat(65_536))
    assert.equal(heard, 2)
  })
})
