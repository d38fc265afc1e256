import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Bench, createRandom, keepsGoal, median, runBench } from './harness.ts'

const context = { random: createRandom(1), folder: '/nowhere', note: () => {} }

describe('a benchmark', () => {
  it('divides ours by the reference of the same round and judges the median', async () => {
    const order: string[] = []
    let closed = 0
    const figures = { ours: [9, 5, 2, 3], reference: [1, 10, 10, 10] }
    const bench: Bench = {
      name: 'example',
      means: 'an example',
      rounds: 3,
      comparisons: [
        { metric: 'cpuMs', reference: 'reference', goal: '<=0.3' },
        { metric: 'cpuMs', reference: 'reference', goal: '<=0.29' },
      ],
      prepare: async () => ({
        sides: {
          ours: async () => ({ cpuMs: (order.push('ours'), figures.ours.shift()!), other: 7 }),
          reference: async () => ({ cpuMs: (order.push('reference'), figures.reference.shift()!) }),
        },
        close: async () => void (closed += 1),
      }),
    }
    const { results, medians } = await runBench(bench, context)
    assert.deepEqual(results[0], {
      bench: 'example',
      metric: 'cpuMs',
      reference: 'reference',
      ratio: { min: 0.2, median: 0.3, max: 0.5 },
      goal: '<=0.3',
      ok: true,
    })
    assert.equal(results[1]?.ok, false)
    assert.deepEqual(medians, { ours: { cpuMs: 3, other: 7 }, reference: { cpuMs: 10 } })
    assert.deepEqual(order, ['ours', 'reference', 'reference', 'ours', 'ours', 'reference', 'reference', 'ours'])
    assert.equal(closed, 1)
  })

  it('ends what it prepared when a round fails', async () => {
    let closed = 0
    const prepare = async () => ({
      sides: { ours: async () => Promise.reject(new Error('broken')) },
      close: async () => void (closed += 1),
    })
    await assert.rejects(runBench({ name: 'x', means: 'x', rounds: 1, comparisons: [], prepare }, context), /broken/)
    assert.equal(closed, 1)
  })
})

describe('goals', () => {
  for (const [goal, value, kept] of [
    ['<=0.65', 0.65, true],
    ['<=0.65', 0.66, false],
    ['>=5', 5, true],
    ['>=5', 4.9, false],
    ['>=5', NaN, false],
    [null, 99, true],
  ] as const) {
    it(`${goal} ${kept ? 'is kept by' : 'is missed by'} ${value}`, () => assert.equal(keepsGoal(goal, value), kept))
  }

  it('are judged on the middle value', () => {
    assert.equal(median([5, 1, 3]), 3)
    assert.equal(median([4, 1, 3, 2]), 2.5)
  })
})
