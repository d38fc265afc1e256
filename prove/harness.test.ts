import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { amountOf, createRandom, type Proof, runProof } from './harness.ts'

const proof = (run: Proof['run']): Proof => ({ name: 'example', means: 'an example', unit: 'rounds', amount: { ci: 3, full: 300 }, run })
const quiet = { size: 'ci', seed: 7, folder: '/nowhere', note: () => {}, breach: () => {} } as const

describe('a proof', () => {
  it('reports what it ran, with its own figures', async () => {
    const { ms, ...report } = await runProof(
      proof(async ({ amount }) => ({ runs: amount, figures: { peakMb: 12 } })),
      quiet,
    )
    assert.deepEqual(report, { proof: 'example', seed: 7, runs: 3, violations: 0, ok: true, peakMb: 12 })
    assert.ok(ms >= 0)
  })

  it('is told where files lie that nobody here made', async () => {
    const seen: string[] = []
    const looking = proof(async ({ corpus }) => ({ runs: seen.push(...corpus) }))
    await runProof(looking, { ...quiet, corpus: ['/theirs', '/mine'] })
    assert.deepEqual(seen, ['/theirs', '/mine'])
  })

  for (const [title, run] of [
    ['a breach', async ({ breach }) => (breach('lost a row'), { runs: 1 })],
    ['an error', async () => Promise.reject(new Error('broken'))],
    ['no attempt at all', async () => ({ runs: 0 })],
  ] as const satisfies readonly (readonly [string, Proof['run']])[]) {
    it(`fails for ${title}`, async () => {
      const said: string[] = []
      const report = await runProof(proof(run), { ...quiet, breach: (text) => said.push(text) })
      assert.equal(report.ok, false)
      assert.equal(report.violations, 1)
      assert.equal(said.length, 1)
    })
  }

  it('is stopped when its time is over, and has failed', async (test) => {
    test.mock.timers.enable({ apis: ['setTimeout'] })
    let aborted = false
    const running = runProof(
      proof(({ signal }) => {
        signal.addEventListener('abort', () => (aborted = true))
        return new Promise(() => {})
      }),
      quiet,
    )
    test.mock.timers.tick(60_000)
    assert.equal((await running).ok, false)
    assert.ok(aborted)
  })

  it('does a tenth in a run of all, and never less than in the tests', () => {
    const example = proof(async () => ({ runs: 1 }))
    assert.deepEqual(
      (['ci', 'tenth', 'full'] as const).map((size) => amountOf(example, size)),
      [3, 30, 300],
    )
    assert.equal(amountOf({ ...example, amount: { ci: 3, full: 5 } }, 'tenth'), 3)
  })
})

describe('random choices', () => {
  it('follow from the seed alone', () => {
    const draw = (seed: number) => Array.from({ length: 5 }, createRandom(seed).next)
    assert.deepEqual(draw(1), draw(1))
    assert.notDeepEqual(draw(1), draw(2))
  })

  it('of a fork do not depend on what was drawn before', () => {
    const fresh = createRandom(1)
    const used = createRandom(1)
    used.bytes(100)
    assert.equal(fresh.fork('task').next(), used.fork('task').next())
    assert.notEqual(fresh.fork('task').next(), fresh.fork('other').next())
  })

  it('spread over their range', () => {
    const random = createRandom(3)
    const counts = Array.from({ length: 4 }, () => 0)
    for (let draw = 0; draw < 4000; draw++) counts[random.int(4)]! += 1
    assert.ok(
      counts.every((count) => count > 850 && count < 1150),
      String(counts),
    )
    assert.deepEqual(random.shuffle([1, 2, 3, 4]).sort(), [1, 2, 3, 4])
    assert.equal(random.bytes(7).length, 7)
  })
})
