import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../harness.ts'
import { mutationNames, mutations } from './mutations.ts'

const bytes = Buffer.from(createRandom(9).bytes(700))
const other = Buffer.from(createRandom(8).bytes(300))

describe('a mutation', () => {
  for (const name of mutationNames) {
    it(`${name} changes a file, leaves the given one alone, and follows from the seed`, () => {
      const before = Buffer.from(bytes)
      const draw = (seed: number): Buffer => mutations[name]?.(bytes, createRandom(seed), other) ?? bytes
      const drawn = Array.from({ length: 20 }, (_, seed) => draw(seed))
      assert.ok(drawn.filter((one) => !one.equals(bytes)).length >= 15)
      assert.deepEqual(bytes, before)
      assert.deepEqual(
        drawn,
        drawn.map((_, seed) => draw(seed)),
      )
    })

    it(`${name} takes a file of nothing, and of a byte`, () => {
      for (const tiny of [Buffer.alloc(0), Buffer.from([7])])
        for (let seed = 0; seed < 20; seed++) assert.ok(Buffer.isBuffer(mutations[name]?.(tiny, createRandom(seed), other)))
    })
  }
})
