import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { partsOf } from './crash/effects.ts'
import { type LaneOptions, openLane } from './crash/lane.ts'
import { killServer } from './crash/outages.ts'
import type { Point } from './crash/passing.ts'
import { byChance, pointsInCi, pointsOfJail, seldom, storeOf } from './crash/points.ts'
import { createTally, type Tally } from './crash/tally.ts'
import { withOneServer } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext, ProofSize } from './harness.ts'
import { told } from './told.ts'

/** What is not done by then is a breach. The rest of the time is for coming to rest. */
const killSeconds: Readonly<Record<ProofSize, number>> = { ci: 30, tenth: 200, full: 1_500 }
/** A lane comes to rest after so many deaths, so that whose they were can still be told. */
const deathsABatch = 80
/** Some points are come by in mornings alone, since what waits for days is done in nights. */
const longestDaySeconds = 120
const leastSecondsOfABatch = 10
const times = {
  server: { ci: 1, tenth: 3, full: 30 },
  jail: { ci: 0, tenth: 1, full: 5 },
  seldom: { ci: 0, tenth: 0, full: 1 },
} as const
const outageSeconds = 15

/** So much faster than the machine's go the clocks of those that are killed. */
const factor = 40

/**
 * Processes of an app and its workers are killed by SIGKILL at every point at which something outside of them has just changed, or is about to,
 * while people play all scenarios and time runs forty times as fast; and PostgreSQL is killed itself, while they live on. What each leaves behind
 * is taken up by whoever follows. A process dies with several files at different points: a hit is one of those, and its death is one for each.
 *
 * Who plays is killed as well, so that only some playings come to their end: those in the evening of a day at the latest, when nobody begins
 * anything and time goes on from one thing that is due to the next. Each of these has to end as it promises, and every scenario once.
 *
 * `kills` shows what this does not: how soon work is taken over by the real clock, that no decoder outlives its worker, and an app on an embedded
 * database with its worker inside.
 */
export const crash: Proof = {
  name: 'crash',
  means:
    'an app, its workers and PostgreSQL that are killed at any point of what they do leave nothing lost, nothing twice and nothing lying about',
  unit: 'deaths at every point',
  amount: { ci: 1, full: 10 },
  shows: { killed: 'hits', points: 'points', deaths: 'processes killed', serverKills: 'kills of PostgreSQL' },
  run: (proof) =>
    withOneServer(async () => {
      const { size, amount } = proof
      const asked = [...storeOf.keys()].filter((point) => !byChance.has(point))
      const tally = createTally(size === 'ci' ? pointsInCi : asked, (point) => (seldom.has(point) ? times.seldom[size] : amount))
      const decoded = createTally(pointsOfJail, () => times.jail[size])
      const cacheFolder = join(proof.folder, 'compiled')
      mkdirSync(cacheFolder)
      const hasGateway = size !== 'ci' && amountOnGateway(proof, amount, 'killed') > 0
      const common = { proof, cacheFolder, factor }
      const plain = { ...common, jail: 'plain', tally } as const
      const outages = {
        times: times.server[size],
        withinMs: times.server[size] * outageSeconds * 1000,
        tally: createTally([], () => 0),
        cacheFolder,
      }
      let serverKills = 0
      const killingServer = async (): Promise<void> => void (serverKills = await killServer(proof, outages))
      await allOf(proof, [
        killIn({ ...plain, name: 'local', store: 'local' }),
        killingServer(),
        ...(size === 'ci' ? [] : [killIn({ ...common, name: 'decoding', store: 'local', jail: 'real', tally: decoded })]),
        ...(hasGateway ? [killIn({ ...plain, name: 's3', store: 's3' })] : []),
      ])
      judgePoints(proof, tally, hasGateway)
      for (const [point, count] of decoded.missing())
        proof.breach(`${count} of ${times.jail[size]} kills with a real decoder at "${point}"`)
      const all = [tally, decoded, outages.tally]
      const figures = { ...figuresOf(tally, all), serverKills, decoding: sumOf(decoded.hits) }
      judgePlayings(proof, tally, figures)
      return { runs: amount, figures }
    }),
}

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0)

/** Of the points from the first of the tallies, of everything else from all. */
const figuresOf = (tally: Tally, all: readonly Tally[]) => {
  const sum = (count: (one: Tally) => number): number => all.reduce((total, one) => total + count(one), 0)
  const others = (name: string): number => sum(({ other }) => other.all.get(name) ?? 0)
  return {
    killed: sumOf(tally.hits),
    points: tally.hits.size,
    seldomHit: [...seldom].filter((point) => tally.hits.has(point)).length,
    deaths: others('deaths'),
    played: sum(({ ended }) => ended.sum()),
    cut: sum(({ begun, ended }) => begun.sum() - ended.sum()),
    heldBack: others('heldBack'),
    forgiven: others('forgiven'),
  }
}

/** Waits for all, so that each closes what it opened; what breaks off says so at once. */
const allOf = async (proof: ProofContext, works: readonly Promise<void>[]): Promise<void> => {
  await Promise.all(works.map((work) => work.catch((err: unknown) => proof.breach(`a lane broke off: ${told(err)}`))))
}

const killIn = async (options: LaneOptions): Promise<void> => {
  const { proof, store, tally } = options
  const began = performance.now()
  const leftMs = (): number => killSeconds[proof.size] * 1000 - (performance.now() - began)
  const lane = await openLane(options)
  try {
    do await lane.batch(deathsABatch, Math.min(longestDaySeconds * 1000, leftMs()))
    while (tally.isWanting(store) && leftMs() > leastSecondsOfABatch * 1000 && !proof.signal.aborted)
  } finally {
    await lane.close()
  }
}

/** A lease is renewed at once when the row changes, and so under the name of the job that changed it. */
const renewal = /^\w+: update (?:assets|variants|upload_sessions): after$/

/** Whatever is done where a point is passed stands on the list, and every point of the list was hit as often as was promised. */
const judgePoints = (proof: ProofContext, tally: Tally, hasGateway: boolean): void => {
  const known = new Set([...storeOf.keys()].flatMap(partsOf))
  const isUnknown = (point: Point): boolean => !renewal.test(point) && !partsOf(point).every((part) => known.has(part))
  for (const point of [...tally.passings.keys()].filter(isUnknown))
    proof.breach(`the point "${point}" is not on the list in prove/crash/points.ts`)
  for (const [point, count] of tally.missing())
    if (hasGateway || storeOf.get(point) !== 's3') proof.breach(`${count} of ${seldom.has(point) ? 1 : proof.amount} kills at "${point}"`)
}

/** Of those that come to an end, so many in a hundred may be about a file over which workers were lost again and again. */
const forgivenPercent = 2
const forgivenAtLeast = 2

/** What is played comes to its end, with what it promises; only who plays it may die. */
const judgePlayings = (
  proof: ProofContext,
  { begun, ended }: Tally,
  { played, forgiven }: Readonly<Record<'played' | 'forgiven', number>>,
): void => {
  const most = Math.max(forgivenAtLeast, (played * forgivenPercent) / 100)
  if (forgiven > most)
    proof.breach(`${forgiven} of ${played} playings were forgiven for files that workers were lost over, and at most ${most} may be`)
  if (proof.size === 'ci') return
  for (const name of begun.all.keys()) if (!ended.all.has(name)) proof.breach(`"${name}" never came to its end`)
}
