import type { Port, PortCall } from '../../src/testing/faults.ts'
import { faultyCarrier, databaseFaultsOf } from '../../src/testing/faulty-carrier.ts'
import { faultyClock } from '../../src/testing/faulty-clock.ts'
import { faultyJail, jailFaultsOf } from '../../src/testing/faulty-jail.ts'
import { faultyQueue, queueFaultsOf } from '../../src/testing/faulty-queue.ts'
import { faultyStorage } from '../../src/testing/faulty-storage.ts'
import { storageFaultsOf } from '../../src/testing/faulty-storage/kinds.ts'
import type { FaultClock } from '../../src/testing/faults.ts'
import type { Landing } from '../../src/testing/memory-bucket.ts'
import type { Trouble } from '../scenarios/testbed.ts'

/** One call of a playing and one way in which it fails: the third `put` to storage is lost after its effect. */
export interface Way {
  readonly port: Port | 'client'
  readonly operation: string
  /** From 1, among the calls of this operation. */
  readonly nth: number
  readonly kind: string
}

export const spoken = ({ port, operation, nth, kind }: Way): string => `${port} ${operation} ${nth} ${kind}`

const clientFaults = ['never', 'unseen', 'late'] as const satisfies readonly Landing[]
const clockFaults = ['jump_forward', 'jump_back'] as const

/** So long a slow call takes: longer than a lease has left once it was not renewed in time. */
const slowMs = 20_000

type Decide = <K extends string>(call: { readonly port: Way['port']; readonly operation: string }, kinds: readonly K[]) => K | null

const troubleBy = (decide: Decide, clock: FaultClock): Trouble => {
  const options = { slowMs, clock }
  const plan =
    <C extends PortCall, K extends string>(kindsOf: (call: C) => readonly K[]) =>
    (call: C): K | null =>
      decide(call, kindsOf(call))
  return {
    storage: (adapter) => faultyStorage(adapter, { ...options, plan: plan(({ operation }) => storageFaultsOf[operation]) }).adapter,
    carrier: faultyCarrier({ ...options, plan: plan(({ operation }) => databaseFaultsOf[operation]) }).carrier,
    queue: faultyQueue({ ...options, plan: plan(({ operation }) => queueFaultsOf[operation]) }).queue,
    jail: faultyJail({ ...options, plan: plan(jailFaultsOf) }).jail,
    clocks: (settable) => faultyClock(settable, { plan: plan(() => clockFaults) }),
    landing: ({ operation }) => (operation === 'send' ? (decide({ port: 'client', operation }, clientFaults) ?? 'now') : 'now'),
  }
}

/** Notes every call of a playing, and all that could go wrong with it. Nothing does. */
export const noting = (clock: FaultClock): { readonly trouble: Trouble; ways(): readonly Way[] } => {
  const counts = new Map<string, number>()
  const ways: Way[] = []
  const note: Decide = ({ port, operation }, kinds) => {
    const nth = countUp(counts, `${port} ${operation}`)
    for (const kind of kinds) ways.push({ port, operation, nth, kind })
    return null
  }
  return { trouble: troubleBy(note, clock), ways: () => ways }
}

/** Has one call fail in one way. */
export const striking = (way: Way, clock: FaultClock): { readonly trouble: Trouble; hasStruck(): boolean } => {
  const counts = new Map<string, number>()
  let struck = false
  const strike: Decide = ({ port, operation }, kinds) => {
    const nth = countUp(counts, `${port} ${operation}`)
    if (struck || port !== way.port || operation !== way.operation || nth < way.nth) return null
    const kind = kinds.find((one) => one === way.kind)
    if (kind === undefined) return null
    struck = true
    return kind
  }
  return { trouble: troubleBy(strike, clock), hasStruck: () => struck }
}

const countUp = (counts: Map<string, number>, name: string): number => {
  const count = (counts.get(name) ?? 0) + 1
  counts.set(name, count)
  return count
}
