import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openLane } from './crash/lane.ts'
import type { Point } from './crash/passing.ts'
import { storeOf } from './crash/points.ts'
import { createTally, type Tally } from './crash/tally.ts'
import { withOneServer } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext } from './harness.ts'

/** What is left undone then is a breach. The rest is for coming to rest. */
const killSeconds = { ci: 30, tenth: 150, full: 700 } as const
/** A lane comes to rest after so many deaths, so that what is judged can be looked at. */
const deathsABatch = 150
/** Some that every upload passes. */
const pointsInCi: readonly Point[] = [
  'initiateUpload: upload_session.born asset.born object.born: after',
  'door PUT: puts staging: during',
  'verifyCompletion: asset.accept upload_session.verify upload_session.complete object.confirm: after',
  'worker fetches: jobs: after',
  'promote_asset: asset.analyze object.born run.born: after',
  'promote_asset: copies to sealed: before',
  'promote_asset: gates in the jail: during',
]

/**
 * Processes of an app and its workers are killed by SIGKILL at every point at which something outside of them has just changed, or is about to,
 * while people play all scenarios and time runs forty times as fast. What each leaves behind is taken up by whoever follows.
 *
 * `kills` shows what this does not: how soon work is taken over by the real clock, and an app on an embedded database with its worker inside.
 */
export const crash: Proof = {
  name: 'crash',
  means: 'an app and workers that are killed at any point of what they do leave nothing lost, nothing twice and nothing lying about',
  unit: 'kills at every point',
  amount: { ci: 1, full: 10 },
  run: (proof) =>
    withOneServer(async () => {
      const points = proof.size === 'ci' ? pointsInCi : [...storeOf.keys()]
      const tally = createTally(points, proof.amount)
      const cacheFolder = join(proof.folder, 'compiled')
      mkdirSync(cacheFolder)
      const hasGateway = proof.size !== 'ci' && amountOnGateway(proof, 1, 'killed') > 0
      const stores = hasGateway ? (['local', 's3'] as const) : (['local'] as const)
      const lanes = stores.map((store) => killIn(proof, store, tally, cacheFolder))
      const failure = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected')
      if (failure) throw failure.reason
      judgePoints(proof, tally, hasGateway)
      const kills = [...tally.hits.values()].reduce((sum, count) => sum + count, 0)
      return {
        runs: kills,
        figures: { points: points.length, playings: [...tally.playings.values()].reduce((sum, count) => sum + count, 0) },
      }
    }),
}

const killIn = async (proof: ProofContext, store: 'local' | 's3', tally: Tally, cacheFolder: string): Promise<void> => {
  const began = performance.now()
  const leftMs = (): number => killSeconds[proof.size] * 1000 - (performance.now() - began)
  const lane = await openLane({ proof, name: store, store, jail: 'plain', tally, cacheFolder })
  try {
    do await lane.batch(deathsABatch, leftMs())
    while (tally.isWanting(store) && leftMs() > 0 && !proof.signal.aborted)
  } finally {
    await lane.close()
  }
}

/** Every point that is passed stands on the list, and every one of the list was hit as often as was promised. */
const judgePoints = (proof: ProofContext, tally: Tally, hasGateway: boolean): void => {
  for (const point of tally.all) if (!storeOf.has(point)) proof.breach(`the point "${point}" is not on the list in prove/crash/points.ts`)
  for (const [point, times] of tally.missing())
    if (hasGateway || storeOf.get(point) !== 's3') proof.breach(`${times} of ${proof.amount} kills at "${point}"`)
}
