import { send, type Landing } from './bucket.ts'
import { backoff, beginRun, doomWhere, endRuns, lifeOf, objectAt, reserve, troubleOf } from './rows.ts'
import type { Setup } from './setup.ts'
import { deliverable, isDue, type State, type Worker } from './state.ts'

export const mayBuild = (state: State, life: number): boolean => {
  const { asset, variant } = lifeOf(state, life)
  if (!asset || !variant || !deliverable.includes(asset.state)) return false
  return variant.state === 'queued' || (variant.state === 'processing' && isDue(variant.due, state.now))
}

/** Takes a variant to be made again, under a fence of its own, and reserves its key. */
export const claimBuild = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset, variant } = life
  if (!asset || !variant || !mayBuild(state, lifeNumber)) return
  const { durations } = setup
  const past = troubleOf(life.runs)
  const fence = variant.fence + 1
  asset.revision += 1
  Object.assign(variant, { state: 'processing', fence, due: setup.rules.due ? state.now + durations.lease : null })
  doomWhere(state, setup, state.now, (row) => isReservedVariant(row, lifeNumber) && row.fence < fence)
  const key = `v${lifeNumber}.${fence}`
  reserve(state, key, lifeNumber, fence)
  endRuns(life, 'failed', 'lease_lost', () => true)
  const run = beginRun(state, setup, life, 'build', 0)
  const worker: Worker = {
    ...{ who: 'worker', id: ++state.ids, life: lifeNumber, job: 'build', at: 'read', fence: 0, revision: asset.revision, run },
    ...{ source: asset.object, etag: null, sealed: null, read: null, faults: past.faults },
    ...{ heldUntil: state.now + durations.lease - durations.margin, renewAt: state.now + durations.lease / 3 },
    ...{ variantFence: fence, variantKey: key, isStored: false },
  }
  if (past.leasesLost >= 5) settleVariant(state, setup, worker, { delay: null, code: null })
  else state.actors.push(worker)
}

export const isReservedVariant = (row: State['objects'][number], life: number): boolean =>
  row.life === life && row.state === 'reserved' && row.key.startsWith('v')

/** Reads the original that is served. @returns true when it is over. */
export const stepBuild = (state: State, setup: Setup, worker: Worker): boolean => {
  worker.read = state.bucket[worker.source ?? ''] ?? null
  worker.at = 'put'
  return worker.read === null && settleVariant(state, setup, worker, { delay: null, code: 'original_missing' })
}

/** Stores the variant, or settles what became of it. @returns true when it is over. */
export const stepPut = (state: State, setup: Setup, worker: Worker, landing: Landing): boolean => {
  if (worker.at === 'settle') {
    const faults = worker.job === 'build' ? worker.faults : 0
    return settleVariant(state, setup, worker, { delay: backoff(setup, faults + 1), code: 'storage_failed' })
  }
  const by = worker.heldUntil + setup.durations.ownWatch
  const call = { op: 'put', key: worker.variantKey ?? '', from: null, bytes: `~${worker.read ?? ''}`, isClient: false } as const
  worker.isStored = send(state, setup, call, landing, by) === true
  worker.at = 'settle'
  return false
}

/** What a worker that could not store its variant asks for: another try after `delay`, or none at all where that is null. */
interface Failing {
  readonly delay: number | null
  readonly code: string | null
}

/** Those who still hold the variant finish it; the others doom what they reserved themselves. Always the end of a worker. */
export const settleVariant = (state: State, setup: Setup, worker: Worker, { delay, code }: Failing): true => {
  const life = lifeOf(state, worker.life)
  const { asset, variant } = life
  const object = objectAt(state, worker.variantKey)
  const isMine = (run: { readonly id: number }): boolean => run.id === worker.run
  const isHeld = variant?.state === 'processing' && (!setup.rules.fence || variant.fence === worker.variantFence)
  if (!asset || !deliverable.includes(asset.state) || !isHeld) {
    if (object) doomWhere(state, setup, state.now, (row) => row === object && row.state === 'reserved')
    endRuns(life, 'failed', 'lease_lost', isMine)
    return true
  }
  asset.revision += 1
  if (worker.isStored) {
    if (object) Object.assign(object, { state: 'present', etag: `~${worker.read ?? ''}`, due: null, since: state.now })
    Object.assign(variant, { state: 'ready', due: null, object: worker.variantKey })
    doomWhere(state, setup, state.now, (row) => row.life === worker.life && row.state === 'present' && isOther(row.key, worker))
    asset.state = 'ready'
    endRuns(life, 'succeeded', null, isMine)
    return true
  }
  doomWhere(state, setup, state.now, (row) => row === object && row.state === 'reserved')
  if (delay === null) {
    Object.assign(variant, { state: 'failed', due: null })
    asset.state = 'degraded'
  } else {
    const due = setup.rules.due ? state.now + delay + setup.durations.wakeUp : null
    Object.assign(variant, { state: 'queued', due })
  }
  endRuns(life, delay === null ? 'succeeded' : 'failed', code, isMine)
  return true
}

const isOther = (key: string, worker: Worker): boolean => key.startsWith('v') && key !== worker.variantKey

/** Gives variants whose worker's lease ran out back to the queue. */
export const giveBackVariants = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset, variant } = life
  if (!asset || variant?.state !== 'processing' || !isDue(variant.due, state.now)) return
  const later = state.now + setup.durations.wakeUp
  asset.revision += 1
  Object.assign(variant, { state: 'queued', fence: variant.fence + 1, due: later })
  doomWhere(state, setup, later, (row) => isReservedVariant(row, lifeNumber) && row.fence < variant.fence)
  endRuns(life, 'failed', 'lease_lost', () => true)
}
