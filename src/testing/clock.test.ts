import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createSettableClock } from './clock.ts'

const noon = Date.parse('2026-01-01T12:00:00.000Z')

describe('a settable clock', () => {
  it('stands still, and goes where it is told to, with the database or without', async () => {
    const clock = createSettableClock()
    const read = async () => [clock.now().getTime() - noon, (await clock.database.read()).getTime() - noon, clock.monotonicMs()]
    assert.deepEqual(await read(), [0, 0, 0])
    clock.advance(5)
    assert.deepEqual(await read(), [5000, 5000, 5000])
    clock.advanceDatabase(-2)
    assert.deepEqual(await read(), [5000, 3000, 5000])
    clock.advanceMachine(10)
    assert.deepEqual(await read(), [15000, 3000, 15000])
    clock.advanceMachine(-20)
    assert.deepEqual(await read(), [-5000, 3000, 15000])
    clock.setTo(await clock.database.read())
    clock.advance(1)
    assert.deepEqual(await read(), [4000, 4000, 16000])
  })

  it('says who wakes next, and wakes them in order', async () => {
    const clock = createSettableClock()
    assert.equal(clock.nextWakeSeconds(), null)
    const woken: number[] = []
    for (const ms of [3000, 1000, 2000]) void clock.sleep(ms).then(() => woken.push(ms))
    assert.equal(clock.nextWakeSeconds(), 1)
    clock.advance(2.5)
    await pause(1)
    assert.deepEqual([woken, clock.nextWakeSeconds()], [[1000, 2000], 0.5])
    clock.advanceMachine(1)
    await pause(1)
    assert.deepEqual(woken, [1000, 2000, 3000])
  })

  it('wakes nobody who was called off', async () => {
    const clock = createSettableClock()
    const controller = new AbortController()
    const sleeping = clock.sleep(1000, controller.signal)
    controller.abort('enough')
    await assert.rejects(sleeping, (err) => err === 'enough')
    assert.equal(clock.nextWakeSeconds(), null)
  })

  it('moves on while work waits for time alone, from one wake to the next', async () => {
    const clock = createSettableClock()
    const seen: number[] = []
    const work = async () => {
      for (const ms of [30_000, 5_000]) {
        await clock.waiting(clock.sleep(ms))
        seen.push(clock.monotonicMs())
      }
      return 'done'
    }
    assert.equal(await clock.during(work()), 'done')
    assert.deepEqual(seen, [30_000, 35_000])
    await assert.rejects(clock.during(Promise.reject(new RangeError('mine'))), RangeError)
  })

  it('does not move while something else happens', async () => {
    const clock = createSettableClock()
    void clock.waiting(clock.sleep(30_000))
    const busy = async () => {
      for (let turn = 0; turn < 20; turn += 1) {
        await pause(5)
        clock.now()
      }
    }
    await clock.during(busy())
    assert.equal(clock.monotonicMs(), 0)
  })

  it('leaves work that says nothing two seconds before it moves', async () => {
    const clock = createSettableClock()
    void clock.sleep(30_000)
    await clock.during(pause(150))
    assert.equal(clock.monotonicMs(), 0)
    await clock.during(clock.sleep(40_000))
    assert.equal(clock.monotonicMs(), 40_000)
  })
})
