import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../src/core/clock.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { faultyStorage } from '../../src/testing/faulty-storage.ts'
import {
  type BucketCall,
  type BucketHonours,
  createMemoryBucket,
  type Landing,
  type LandingHook,
  type MemoryBucket,
} from '../../src/testing/memory-bucket.ts'
import { createPlainJail, killedDecoder } from '../../test/journeys/fixtures/plain-jail.ts'
import type { Random } from '../harness.ts'
import type { Witness } from '../judge.ts'
import { isFilm, visitFilm } from '../scenarios/fake-films.ts'
import type { FastTime } from './time.ts'

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What the bytes of a file do to the jail, by its sixth byte; those of a film, while all of it is decoded, by its seventh. */
export const poison = 0xdd
export const [poisonAt, poisonOfEncodesAt] = [5, 6]

/** Two buckets and a jail that fail as they like until they are calmed, with a witness before them. */
export interface UnreliablePorts {
  readonly buckets: { readonly strict: MemoryBucket; readonly heedless: MemoryBucket }
  /** The buckets as processes reach them. */
  readonly storages: { readonly strict: StorageAdapter; readonly heedless: StorageAdapter }
  readonly jail: Jail
  readonly counts: Record<'storageFaults' | 'landedLate' | 'refusedLate', number>
  /** From now on nothing fails any more. What is under way lands when its time comes. */
  calm(): void
  /** Lets calls land whose time has come. */
  landDue(): Promise<void>
  /** When the next of them lands, in seconds of the storm; null when there is none. */
  nextLanding(): Promise<number | null>
}

export interface UnreliablePortsOptions {
  readonly time: FastTime
  readonly random: Random
  /** The share of calls that go wrong. */
  readonly faults: number
  readonly witness: Witness
}

/** A PUT may begin before its ticket ends and land so long after. */
const latestSendSeconds = 23 * 3_600
/** So long after it began may a call of a worker still land. */
const latestCallSeconds = 3_300

export const openUnreliablePorts = ({ time, random, faults, witness }: UnreliablePortsOptions): UnreliablePorts => {
  const counts = { storageFaults: 0, landedLate: 0, refusedLate: 0 }
  /** Counted from when a call was made: time may jump before it is seen among the late ones. */
  const dueAt = new Map<BucketCall, number>()
  let isCalm = false

  const luck = (call: BucketCall, madeAt: number): Landing => {
    const isSent = call.operation === 'send'
    if (isCalm || !random.chance(isSent ? faults * 1.5 : faults)) return 'now'
    counts.storageFaults += 1
    const landing = random.pick(['late', 'late', 'unseen', 'never'] as const)
    if (landing === 'late') dueAt.set(call, madeAt + (isSent ? latestSendSeconds : latestCallSeconds) * random.next())
    return landing
  }
  const landing: LandingHook = (call) => {
    const madeAt = time.seconds()
    return witness.landings(() => luck(call, madeAt))(call)
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
  const landDue = async (): Promise<void> => {
    for (const { late } of Object.values(buckets))
      for (const one of [...late]) {
        if ((dueAt.get(one.call) ?? 0) > time.seconds()) continue
        counts[(await witness.land(one)) ? 'landedLate' : 'refusedLate'] += 1
        dueAt.delete(one.call)
      }
  }
  return {
    ...{ buckets, counts, landDue },
    jail: witness.jail(mortalJail(random, () => isCalm)),
    storages: {
      strict: witness.storage(readFaults(buckets.strict.adapter)),
      heedless: witness.storage(readFaults(buckets.heedless.adapter)),
    },
    calm: () => void (isCalm = true),
    async nextLanding() {
      await landDue()
      return dueAt.size === 0 ? null : Math.min(...dueAt.values())
    },
  }
}

/** Of visits that the decoder does not live to end, though nothing is wrong with the file. */
const deaths = 0.01
/** Slow films are encoded for a second, which is some of a lease. */
const filmPace = 60

/**
 * Passes what begins like a PNG, and films; dies of what is poisoned, and now and then of anything, but only once over the same file: twice is
 * a word against it.
 */
const mortalJail = (random: Random, isCalm: () => boolean): Jail => {
  const plain = createPlainJail()
  const struck = new Set<string>()
  const clock: Pick<Clock, 'sleep'> = { sleep: (ms, signal) => sleep(isCalm() ? 0 : ms / filmPace, undefined, { signal }) }
  const isStruck = (bytes: Buffer): boolean => !isCalm() && random.chance(deaths) && struck.size < struck.add(sha256Of(bytes)).size
  return {
    ...plain,
    report: async () => ({ walls: [], versions: {}, decodes: ['image/png', 'video/mp4'], missing: {} }),
    async visit(visit) {
      const bytes = await readFile(visit.path)
      const [isPoisoned, isDeadlyToEncode] = [bytes[poisonAt] === poison, bytes[poisonOfEncodesAt] === poison]
      if (isPoisoned || isStruck(bytes)) throw killedDecoder()
      if (isFilm(bytes)) {
        if (isDeadlyToEncode && visit.encoding) throw killedDecoder()
        return visitFilm(visit, bytes, clock)
      }
      plain.visits.length = 0
      return plain.visit(visit)
    },
  }
}
