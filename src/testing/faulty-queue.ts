import type { JobName } from '../core/jobs.ts'
import type { QueuedJob, Queue } from '../core/ports/queue.ts'
import { translated } from '../database/sql-error.ts'
import { createDecider, type Decider, type FaultOptions, type Faults, type PortCall } from './faults.ts'

/**
 * What goes wrong with the queue:
 * - `fail_before`: the connection is lost, and nothing has happened.
 * - `fail_after`: it takes effect, and the connection is lost before the answer: jobs that were fetched are nobody's until they are tidied away.
 * - `slow`: it begins later, and then goes well.
 * - `lose`: the jobs of a fetch, or a notification, are gone and reach nobody.
 * - `double`: the jobs of a fetch are handed out now, and once more by the next fetch of that name.
 */
export type QueueFaultKind = 'fail_before' | 'fail_after' | 'slow' | 'lose' | 'double'

export type QueueOperation = 'fetch' | 'waiting' | 'complete' | 'tidy' | 'notify' | 'listen' | 'open'

export type QueueCall = PortCall<'queue', QueueOperation>
export type QueueFaultOptions = FaultOptions<QueueCall, QueueFaultKind>

export interface FaultyQueue extends Faults<QueueCall, QueueFaultKind> {
  /** For `createTestRindle`, which hands in its queue. */
  readonly queue: (queue: Queue) => Queue
}

const asked = ['fail_before', 'fail_after', 'slow'] as const

/** What can go wrong with which call. What enqueues is a part of a statement, so that the queue has no say in it. */
export const queueFaultsOf: Readonly<Record<QueueOperation, readonly QueueFaultKind[]>> = {
  fetch: [...asked, 'lose', 'double'],
  waiting: asked,
  complete: asked,
  tidy: asked,
  notify: ['lose'],
  listen: ['fail_before', 'slow'],
  open: ['fail_before', 'slow'],
}

/**
 * Loses, doubles and delays jobs, and the connection to the queue, by chance that a seed replays or by plan. Lost connections are
 * `database_unavailable`, since the queue lives in the database.
 *
 * @throws RindleError `argument_invalid`. Calls: the same when the plan names what cannot happen to the call.
 */
export const faultyQueue = (options: QueueFaultOptions = {}): FaultyQueue => {
  const decider = createDecider(options, ({ operation }: QueueCall) => queueFaultsOf[operation])
  return { ...decider.faults, queue: (queue) => wrapped(queue, decider) }
}

const wrapped = (queue: Queue, decider: Decider<QueueCall, QueueFaultKind>): Queue => {
  const again = new Map<JobName, readonly QueuedJob[]>()
  const decide = (operation: QueueOperation): QueueFaultKind | null => decider.decide((index) => ({ port: 'queue', index, operation }))
  const call = async <T>(operation: QueueOperation, run: (kind: QueueFaultKind | null) => Promise<T>): Promise<T> => {
    const kind = decide(operation)
    if (kind === 'fail_before') throw lost(operation)
    if (kind === 'slow') await decider.slow()
    const answer = await run(kind)
    if (kind === 'fail_after') throw lost(operation)
    return answer
  }
  const fetch = async (kind: QueueFaultKind | null, name: JobName, limit: number): Promise<readonly QueuedJob[]> => {
    const kept = again.get(name) ?? []
    const [twice, rest] = [kept.slice(0, limit), kept.slice(limit)]
    const fresh = limit > twice.length ? await queue.fetch(name, limit - twice.length) : []
    again.set(name, kind === 'double' ? [...rest, ...fresh] : rest)
    if (kind !== 'lose') return [...twice, ...fresh]
    await queue.complete(fresh)
    return []
  }
  return {
    insertion: (jobs) => queue.insertion(jobs),
    notify(jobs) {
      if (decide('notify') !== 'lose') queue.notify(jobs)
    },
    fetch: (name, limit) => call('fetch', (kind) => fetch(kind, name, limit)),
    waiting: (name, ids) => call('waiting', () => queue.waiting(name, ids)),
    complete: (jobs) => call('complete', () => queue.complete(jobs)),
    tidy: () => call('tidy', () => queue.tidy()),
    listen: (wake) => call('listen', () => queue.listen(wake)),
    open: () => call('open', () => queue.open()),
    close: () => queue.close(),
  }
}

const lost = (operation: QueueOperation): unknown =>
  translated(new DOMException('Connection terminated unexpectedly', 'NetworkError'), operation === 'listen' ? 'listen' : 'query')
