import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSettableClock } from './clock.ts'
import { type ClockFaultKind, type ClockOperation, faultyClock } from './faulty-clock.ts'

const noon = Date.parse('2026-01-01T12:00:00.000Z')

const read = async (operation: ClockOperation, kind: ClockFaultKind) => {
  const settable = createSettableClock()
  const { clock, databaseClock, log } = faultyClock(settable, {
    plan: (call) => (call.operation === operation && call.index < 2 ? kind : null),
    jumpSeconds: 60,
  })
  const seconds = [clock.now(), await databaseClock.read()].map((time) => (time.getTime() - noon) / 1000)
  assert.deepEqual(
    log.map(({ port, kind: what }) => [port, what]),
    [['clock', kind]],
  )
  return [...seconds, clock.monotonicMs() / 1000]
}

describe('a clock with faults', () => {
  it('lets the clock that is read jump, and the other one be', async () => {
    assert.deepEqual(await read('now', 'jump_forward'), [60, 0, 60])
    assert.deepEqual(await read('now', 'jump_back'), [-60, 0, 0])
    assert.deepEqual(await read('read', 'jump_forward'), [0, 60, 0])
    assert.deepEqual(await read('read', 'jump_back'), [0, -60, 0])
  })

  it('stays where it jumped to, and goes on with the settable clock', async () => {
    const settable = createSettableClock()
    const { databaseClock } = faultyClock(settable, { plan: ({ index }) => (index === 0 ? 'jump_forward' : null) })
    await databaseClock.read()
    settable.advance(5)
    assert.equal((await databaseClock.read()).getTime() - noon, (172_800 + 5) * 1000)
  })
})
