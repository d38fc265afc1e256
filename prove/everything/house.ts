import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { faultyStorage } from '../../src/testing/faulty-storage.ts'
import {
  type BucketCall,
  type BucketHonours,
  createMemoryBucket,
  type Landing,
  type LateCall,
  type MemoryBucket,
} from '../../src/testing/memory-bucket.ts'
import { createPlainJail, killedDecoder } from '../../test/journeys/fixtures/plain-jail.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { Random } from '../harness.ts'
import type { FastTime } from './time.ts'

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What the bytes of a file do to the jail, by its sixth byte. */
export const poison = 0xdd

/** The buckets and the jail of a storm, which fail as they like until they are calmed, and somebody who looks at every call. */
export interface House {
  readonly buckets: { readonly strict: MemoryBucket; readonly heedless: MemoryBucket }
  /** The buckets as processes reach them. */
  readonly storages: { readonly strict: StorageAdapter; readonly heedless: StorageAdapter }
  readonly jail: Jail
  /** SHA-256 of every file that the gate has let through. */
  readonly passed: ReadonlySet<string>
  readonly counts: Record<'storageFaults' | 'landedLate' | 'refusedLate', number>
  /** From now on nothing fails any more. What is under way lands when its time comes. */
  calm(): void
  /** Lets calls land whose time has come. */
  landDue(): void
  /** When the next of them lands, in seconds of the storm; null when there is none. */
  nextLanding(): number | null
}

export interface HouseOptions {
  readonly database: EngineDatabase
  readonly time: FastTime
  readonly random: Random
  /** The share of calls that go wrong. */
  readonly faults: number
  readonly breach: (text: string, key?: string) => void
}

/** A PUT may begin before its ticket ends and land so long after. */
const latestSendSeconds = 23 * 3_600
/** So long after it began may a call of a worker still land. */
const latestCallSeconds = 3_300

export const openHouse = (options: HouseOptions): House => {
  const { time, random, faults } = options
  const counts = { storageFaults: 0, landedLate: 0, refusedLate: 0 }
  const dueAt = new Map<LateCall, number>()
  let isCalm = false

  const landing = ({ operation }: BucketCall): Landing => {
    if (isCalm || !random.chance(operation === 'send' ? faults * 1.5 : faults)) return 'now'
    counts.storageFaults += 1
    return random.pick(['late', 'late', 'unseen', 'never'])
  }
  const bucket = (name: string, honours: Partial<BucketHonours>): MemoryBucket =>
    createMemoryBucket({
      ...{ name, honours, landing },
      clock: { now: time.now },
      limits: { minPartBytes: 64, maxPartBytes: 4096, maxParts: 100 },
    })
  const buckets = { strict: bucket('strict', {}), heedless: bucket('heedless', { createOnly: false, ifMatch: false, partEtags: false }) }
  const readFaults = (adapter: StorageAdapter): StorageAdapter =>
    faultyStorage(adapter, {
      plan({ operation }) {
        if (isCalm || (operation !== 'head' && operation !== 'read' && operation !== 'listParts') || !random.chance(faults)) return null
        counts.storageFaults += 1
        return operation === 'read'
          ? random.pick(['fail_before', 'http_5xx', 'cut_body'] as const)
          : random.pick(['fail_before', 'http_5xx'])
      },
    }).adapter
  const { jail, passed } = jailOf(random, () => (isCalm ? 0 : 0.01))
  const all = Object.values(buckets)
  const landDue = (): void => {
    for (const { late } of all)
      for (const call of [...late]) {
        const latest = call.call.operation === 'send' ? latestSendSeconds : latestCallSeconds
        const at = dueAt.get(call) ?? time.seconds() + latest * random.next()
        dueAt.set(call, at)
        if (at > time.seconds()) continue
        if (call.land()) counts.landedLate += 1
        else counts.refusedLate += 1
        dueAt.delete(call)
      }
  }
  return {
    ...{ buckets, jail, passed, counts, landDue },
    storages: {
      strict: witnessed(readFaults(buckets.strict.adapter), options),
      heedless: witnessed(readFaults(buckets.heedless.adapter), options),
    },
    calm: () => void (isCalm = true),
    nextLanding() {
      landDue()
      return dueAt.size === 0 ? null : Math.min(...dueAt.values())
    },
  }
}

/** Nothing is ever deleted, nor written, but what its row says is to be. */
const witnessed = (adapter: StorageAdapter, { database, breach }: HouseOptions): StorageAdapter => {
  const stateOf = async (key: string): Promise<string | null> => {
    const [row] = await database.query('select state from rindle.media_objects where store = $1 and key = $2', [adapter.id, key])
    return row ? String(row['state']) : null
  }
  return {
    ...adapter,
    async delete(key, options) {
      const state = await stateOf(key)
      if (state === 'present' || state === 'reserved') breach(`${key} is deleted, and its row says ${state}`, key)
      return adapter.delete(key, options)
    },
    async copy(from, to, options) {
      if ((await stateOf(to)) === null) breach(`${to} is copied to, and no row knows it`, to)
      return adapter.copy(from, to, options)
    },
    async put(key, body, options) {
      if ((await stateOf(key)) === null) breach(`${key} is put, and no row knows it`, key)
      return adapter.put(key, body, options)
    },
  }
}

/** Passes what begins like a PNG, dies of what is poisoned, and now and then of anything. */
const jailOf = (random: Random, deaths: () => number): { readonly jail: Jail; readonly passed: ReadonlySet<string> } => {
  const passed = new Set<string>()
  const plain = createPlainJail()
  const jail: Jail = {
    ...plain,
    async visit(visit) {
      const bytes = await readFile(visit.path)
      if (bytes[5] === poison || random.chance(deaths())) throw killedDecoder()
      const verdict = await plain.visit(visit)
      plain.visits.length = 0
      if (verdict.verdict === 'pass' && visit.purpose === 'gate') passed.add(sha256Of(bytes))
      return verdict
    },
  }
  return { jail, passed }
}
