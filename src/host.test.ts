import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { after, describe, it } from 'node:test'
import { isDiskFull, readHost } from './host.ts'

const problemOf = (work: () => void): unknown => {
  try {
    work()
  } catch (err) {
    return err
  }
  return assert.fail('it went well')
}

describe('a disk that is full', () => {
  it('is told from any other trouble', () => {
    assert.equal(isDiskFull(problemOf(() => writeFileSync('/dev/full', 'x'))), true)
    assert.equal(isDiskFull(problemOf(() => readFileSync('/nowhere/at/all'))), false)
    assert.equal(isDiskFull(null), false)
  })
})

describe('the scratch folder of a machine', () => {
  const before = process.env['RINDLE_SCRATCH']
  after(() => {
    if (before === undefined) delete process.env['RINDLE_SCRATCH']
    else process.env['RINDLE_SCRATCH'] = before
  })

  it('is absolute, since decoders run in another folder, and nothing set is no folder', () => {
    for (const [given, expected] of [
      ['scratch', resolve('scratch')],
      ['/somewhere', '/somewhere'],
      ['', resolve(tmpdir())],
    ] as const) {
      process.env['RINDLE_SCRATCH'] = given
      assert.equal(readHost().scratchFolder, expected)
    }
  })
})
