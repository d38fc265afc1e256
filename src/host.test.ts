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

describe('a host that does not stay', () => {
  const names = ['LAMBDA_TASK_ROOT', 'AWS_LAMBDA_FUNCTION_NAME', 'VERCEL', 'VERCEL_ENV', 'NOW_REGION']
  const before = names.map((name) => [name, process.env[name]] as const)
  const set = (given: Readonly<Record<string, string | undefined>>): void => {
    for (const name of names) {
      const value = given[name]
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  }
  after(() => set(Object.fromEntries(before)))

  for (const [given, expected] of [
    [{}, null],
    [{ AWS_LAMBDA_FUNCTION_NAME: 'f' }, 'AWS Lambda'],
    [{ VERCEL: '1', VERCEL_ENV: 'production' }, 'Vercel'],
    [{ VERCEL: '1' }, 'Vercel'],
    [{ VERCEL: '1', VERCEL_ENV: 'development' }, null],
    [{ LAMBDA_TASK_ROOT: '/var/task', VERCEL_ENV: 'development' }, 'AWS Lambda'],
  ] as const)
    it(`is ${expected ?? 'none'} with ${JSON.stringify(given)}`, () => {
      set(given)
      assert.equal(readHost().ephemeral, expected)
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
