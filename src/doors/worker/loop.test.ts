import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { isRindleError, RindleError } from '../../core/errors.ts'
import { createSettableClock } from '../../testing/clock.ts'
import { createNap, keepTurning } from './loop.ts'
import { silentLogger } from '../../adapters/telemetry/logger.ts'

describe('a nap', () => {
  it('lasts as long as was said', async () => {
    const clock = createSettableClock()
    const nap = createNap(clock)
    let over = false
    const resting = nap.rest(2_000).then(() => (over = true))
    clock.advance(1.9)
    await turn()
    assert.equal(over, false)
    clock.advance(0.1)
    await resting
  })

  it('is cut short by a wake, and by one that came before it', async () => {
    const clock = createSettableClock()
    const nap = createNap(clock)
    const resting = nap.rest(2_000)
    nap.wake()
    await resting
    nap.wake()
    await nap.rest(2_000)
    let over = false
    void nap.rest(2_000).then(() => (over = true))
    await turn()
    assert.equal(over, false)
  })
})

describe('a loop', () => {
  const run = (answers: (number | Error)[]) => {
    const clock = createSettableClock()
    const reports: boolean[] = []
    let turns = 0
    let stopped = false
    const nap = createNap(clock)
    const turning = keepTurning(
      { clock, logger: silentLogger },
      {
        name: 'test',
        nap,
        async turn() {
          const answer = answers[Math.min(turns, answers.length - 1)] ?? 0
          turns += 1
          if (answer instanceof Error) throw answer
          return answer
        },
      },
      { stopped: () => stopped, report: (_, failing) => void reports.push(failing) },
    )
    turning.catch(() => undefined)
    const stop = () => {
      stopped = true
      nap.wake()
      return turning
    }
    return { clock, reports, turns: () => turns, stop, turning }
  }
  const gone = new RindleError('database_unavailable', { operation: 'look' })

  it('rests as long as its turn says, and not at all when there is more', async () => {
    const loop = run([0, 0, 1_000])
    for (let count = 0; count < 10; count += 1) await turn()
    assert.equal(loop.turns(), 3)
    loop.clock.advance(1)
    await turn()
    assert.equal(loop.turns(), 4)
    await loop.stop()
  })

  it('goes on after turns that failed, less and less often', async () => {
    const loop = run([gone, gone, gone, 1_000])
    await turn()
    const after: number[] = []
    for (const seconds of [0.25, 0.5, 1]) {
      loop.clock.advance(seconds - 0.01)
      await turn()
      after.push(loop.turns())
      loop.clock.advance(0.01)
      await turn()
    }
    assert.deepEqual(after, [1, 2, 3])
    assert.deepEqual(loop.reports, [true, true, true, false])
    await loop.stop()
  })

  it('gives up when it has failed for five minutes, and at once when it is hopeless', async () => {
    const loop = run([gone])
    for (let seconds = 0; seconds < 310; seconds += 5) {
      loop.clock.advance(5)
      await turn()
    }
    await assert.rejects(loop.turning, (err: unknown) => isRindleError(err) && err.code === 'worker_failed' && err.cause === gone)
    assert.ok(loop.turns() > 50)
    const closed = run([new RindleError('rindle_closed', {})])
    await assert.rejects(closed.turning, (err: unknown) => isRindleError(err) && err.code === 'worker_failed')
    assert.equal(closed.turns(), 1)
  })
})
