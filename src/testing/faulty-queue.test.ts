import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { isRindleError } from '../core/errors.ts'
import type { QueuedJob, Queue } from '../core/ports/queue.ts'
import { createSettableClock } from './clock.ts'
import { faultyQueue, type QueueFaultKind, queueFaultsOf, type QueueOperation } from './faulty-queue.ts'

const job = (id: string): QueuedJob => ({ name: 'purge_asset', jobId: `job ${id}`, id, since: new Date(0) })

/** A queue with two jobs that wait, which writes down what was asked of it. */
const openStand = (plan: (index: number) => QueueFaultKind | null) => {
  const waiting = [job('a'), job('b')]
  const seen: string[] = []
  const clock = createSettableClock()
  const sound: Queue = {
    insertion: () => ({ text: 'insert', values: [] }),
    notify: () => void seen.push('notify'),
    async fetch(_, limit) {
      seen.push(`fetch ${limit}`)
      return waiting.splice(0, limit)
    },
    async waiting() {
      seen.push('waiting')
      return new Set()
    },
    complete: async (jobs) => void seen.push(`complete ${jobs.map(({ id }) => id).join(' ')}`),
    tidy: async () => void seen.push('tidy'),
    async listen() {
      seen.push('listen')
      return null
    },
    open: async () => void seen.push('open'),
    close: async () => void seen.push('close'),
  }
  const faulty = faultyQueue({ plan: ({ index }) => plan(index), slowMs: 5000, clock })
  return { queue: faulty.queue(sound), waiting, seen, clock, log: faulty.log }
}

const runs: Readonly<Record<QueueOperation, (queue: Queue) => unknown>> = {
  fetch: (queue) => queue.fetch('purge_asset', 2),
  waiting: (queue) => queue.waiting('purge_asset', ['a']),
  complete: (queue) => queue.complete([job('a')]),
  tidy: (queue) => queue.tidy(),
  notify: (queue) => queue.notify(),
  listen: (queue) => queue.listen(() => undefined),
  open: (queue) => queue.open(),
}

const isOperation = (name: string): name is QueueOperation => name in runs
const isLost = (err: unknown): boolean => isRindleError(err) && err.code === 'database_unavailable' && err.retryable
const first = (kind: QueueFaultKind) => (index: number) => (index === 0 ? kind : null)

for (const [operation, kinds] of Object.entries(queueFaultsOf))
  describe(`a fault in ${operation} of the queue`, () => {
    assert.ok(isOperation(operation))
    const run = async (queue: Queue) => runs[operation](queue)
    for (const kind of kinds.filter((one) => one !== 'lose' && one !== 'double'))
      it(kind, async () => {
        const { queue, seen, clock, log } = openStand(first(kind))
        if (kind === 'slow') {
          const running = run(queue)
          clock.advance(4)
          await pause(1)
          assert.deepEqual(seen, [])
          clock.advance(1)
          await running
        } else {
          await assert.rejects(run(queue), isLost)
        }
        assert.equal(seen.length, kind === 'fail_before' ? 0 : 1)
        assert.deepEqual(log, [{ port: 'queue', index: 0, operation, kind }])
      })
  })

describe('a queue that loses and doubles', () => {
  const fetched = async (queue: Queue, limit = 5) => (await queue.fetch('purge_asset', limit)).map(({ id }) => id)

  it('ends the jobs of a lost fetch without handing them out', async () => {
    const { queue, seen, waiting } = openStand(first('lose'))
    assert.deepEqual([await fetched(queue), await fetched(queue)], [[], []])
    assert.deepEqual([waiting, seen], [[], ['fetch 5', 'complete a b', 'fetch 5']])
  })

  it('keeps the jobs of a fetch without an answer from everybody', async () => {
    const { queue, seen } = openStand(first('fail_after'))
    await assert.rejects(fetched(queue), isLost)
    assert.deepEqual([await fetched(queue), seen], [[], ['fetch 5', 'fetch 5']])
  })

  it('hands out what it doubles once more, within the limit, and to nobody who asks for another name', async () => {
    const { queue, seen } = openStand(first('double'))
    assert.deepEqual(await fetched(queue), ['a', 'b'])
    assert.deepEqual(await queue.fetch('settle_slots', 5), [])
    assert.deepEqual([await fetched(queue, 1), await fetched(queue, 2), await fetched(queue)], [['a'], ['b'], []])
    assert.deepEqual(seen, ['fetch 5', 'fetch 5', 'fetch 1', 'fetch 5'])
  })

  it('tells nobody of a lost notification', () => {
    const { queue, seen } = openStand(first('lose'))
    queue.notify()
    assert.deepEqual(seen, [])
    queue.notify()
    assert.deepEqual(seen, ['notify'])
  })

  it('has no say in what is enqueued', async () => {
    const { queue, seen, log } = openStand(() => 'fail_before')
    assert.equal(queue.insertion([]).text, 'insert')
    await queue.close()
    assert.deepEqual([seen, log], [['close'], []])
  })
})
