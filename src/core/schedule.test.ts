import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compareClocks } from './schedule.ts'

const reading = (databaseSeconds: number, machineSeconds: number) => ({
  database: new Date(databaseSeconds * 1000),
  monotonicMs: machineSeconds * 1000,
})

describe('comparing the clocks', () => {
  const previous = reading(1000, 50)

  it('says nothing of a first look', () => assert.equal(compareClocks(null, previous), 'first'))

  for (const [database, machine, answer] of [
    [1005, 55, 'agree'],
    [1064, 55, 'agree'],
    [1066, 55, 'differ'],
    [944, 55, 'differ'],
    [946, 55, 'agree'],
    [8205, 55, 'differ'],
    [1000, 111, 'differ'],
  ] as const) {
    it(`finds that ${database - 1000} s of the database and ${machine - 50} s of the machine ${answer}`, () => {
      assert.equal(compareClocks(previous, reading(database, machine)), answer)
    })
  }
})
