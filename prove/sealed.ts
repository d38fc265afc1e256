import { join } from 'node:path'
import { createJail } from '../src/adapters/processing/jail.ts'
import { createSettableClock } from '../src/testing/clock.ts'
import type { BucketHonours } from '../src/testing/memory-bucket.ts'
import type { Engine } from '../test/services/engines.ts'
import { openBucket } from '../test/services/bucket.ts'
import { chosenEngine, withOneServer } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext } from './harness.ts'
import { openAlbum } from './sealed/bodies.ts'
import { gatewayGround, type Ground, memoryGround, type Sabotage } from './sealed/ground.ts'
import { type Counts, noCounts, playInterleaving } from './sealed/interleaving.ts'
import { openSealedLane, type LaneOptions } from './sealed/lane.ts'
import { silentLogger } from '../src/adapters/telemetry/logger.ts'

const memoryLanes = 3
const gatewayLanes = 8
/** Of eleven interleavings one is played on a real server. */
const gatewayShare = 1 / 11

/**
 * Everybody who has ever had a ticket uses it at every moment, calls land late or twice, workers are woken twice and lose their leases; and
 * what is served is fetched and hashed again, then and long after.
 */
export const sealed: Proof = {
  name: 'sealed',
  means:
    'what is served has the SHA-256 of its row, whatever is sent again, swapped, completed twice or landing late, and whatever the server ignores',
  unit: 'interleavings',
  amount: { ci: 176, full: 5_500 },
  shows: { gateway: 'on a real S3 server', rePuts: 'further requests with their tickets', landedLate: 'calls that landed late' },
  async run(context) {
    const onGateway = amountOnGateway(context, gatewayShare, 'played')
    return withOneServer(async () => {
      const inMemory = await playInMemory(context, { amount: context.amount - onGateway })
      const real = onGateway === 0 ? noCounts() : await playOnGateway(context, onGateway)
      const total = sum([inMemory, real])
      const runs = total.served + total.refused + total.abandoned
      return { runs, figures: { memory: context.amount - onGateway, gateway: onGateway, ...total } }
    })
  },
}

/** In buckets in memory that honour all conditions, some, and none. */
export const playInMemory = async (
  context: ProofContext,
  options: { readonly amount: number; readonly sabotage?: Sabotage },
): Promise<Counts> => {
  const engine = chosenEngine()
  const lanes = Math.min(options.amount, engine.concurrent ? memoryLanes : 1)
  const each = Array.from({ length: lanes }, () => {
    const clock = createSettableClock()
    const grounds = servers.map(({ name, versioned, honours }) =>
      memoryGround(name, { clock, honours, versioned, ...(options.sabotage ? { sabotage: options.sabotage } : {}) }),
    )
    return { clock, grounds }
  })
  return playLanes(context, { engine, amount: options.amount, label: 'memory', lanes: each })
}

const servers: readonly { readonly name: string; readonly versioned: boolean; readonly honours: Partial<BucketHonours> }[] = [
  { name: 'strict', versioned: false, honours: {} },
  { name: 'heedless', versioned: false, honours: { createOnly: false, ifMatch: false, partEtags: false, abort: false } },
  { name: 'versioned', versioned: true, honours: { createOnly: false, ifMatch: false } },
  { name: 'overwriting', versioned: false, honours: { createOnly: false } },
  { name: 'careless', versioned: false, honours: { ifMatch: false, partEtags: false } },
]

const playOnGateway = async (context: ProofContext, amount: number): Promise<Counts> => {
  const bucket = await openBucket()
  try {
    const lanes = Array.from({ length: Math.min(amount, gatewayLanes) }, (_, index) => ({
      clock: null,
      grounds: [gatewayGround(`lane${index}`, bucket)],
    }))
    return await playLanes(context, { engine: chosenEngine(), amount, label: 'gateway', lanes })
  } finally {
    await bucket.close()
  }
}

type Lanes = {
  readonly engine: Engine
  readonly amount: number
  readonly label: string
  readonly lanes: readonly { readonly clock: LaneOptions['clock']; readonly grounds: readonly Ground[] }[]
}

const playLanes = async (context: ProofContext, { engine, amount, label, lanes }: Lanes): Promise<Counts> => {
  const { folder, random, breach, note, signal } = context
  const jail = createJail({ logger: silentLogger })
  const draw = await openAlbum()
  const all: Counts[] = []
  const began = performance.now()
  let next = 0
  const run = async (options: Lanes['lanes'][number], index: number): Promise<void> => {
    const counts = noCounts()
    all.push(counts)
    const lane = await openSealedLane({ engine, jail, folder: join(folder, `${label}${index}`), ...options })
    try {
      for (let round = next++; round < amount && !signal.aborted; round = next++) {
        await playInterleaving({ lane, random: random.fork(`${label} ${round}`), counts, draw, breach })
        if ((round + 1) % 1000 === 0) note(`${round + 1} on ${label}`)
      }
    } finally {
      await lane.close()
    }
  }
  try {
    await Promise.all(lanes.map(run))
    note(`${amount} on ${label}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  } finally {
    await jail.close()
  }
  return sum(all)
}

const sum = (all: readonly Counts[]): Counts => {
  const total: Record<keyof Counts, number> = noCounts()
  for (const counts of all) for (const [name, value] of Object.entries(counts)) if (isCount(name)) total[name] += value
  return total
}

const isCount = (name: string): name is keyof Counts => name in noCounts()
