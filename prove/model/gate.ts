import { send, type Landing } from './bucket.ts'
import { backoff, beginRun, doomWhere, endRuns, lifeOf, objectAt, reserve, troubleOf } from './rows.ts'
import type { Setup } from './setup.ts'
import { isDue, type Life, roleOf, type State, type Worker } from './state.ts'
import { settleVariant } from './variants.ts'

export const mayClaim = (state: State, life: number): boolean => {
  const { asset } = lifeOf(state, life)
  return asset?.state === 'validating' || (asset?.state === 'analyzing' && isDue(asset.due, state.now))
}

/** Takes an asset to the gate: a fence, a lease, a run and a fresh sealed key, in one statement. */
export const claim = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset } = life
  if (!asset || !mayClaim(state, lifeNumber)) return
  const { durations, rules } = setup
  const kept = state.objects.find(({ key }) => key === asset.object)
  const staged = state.objects.find((row) => row.life === lifeNumber && row.state === 'present' && roleOf(row.key) === 'staging')
  const source = asset.object === null ? staged : kept
  const past = troubleOf(life.runs.filter(({ job }) => job === 'promote'))
  const fence = asset.fence + 1
  const sealed = source ? `o${lifeNumber}.${fence}` : null
  if (rules.claimCommits) {
    takeToGate(state, setup, lifeNumber)
    if (sealed !== null && rules.rowFirst) reserve(state, sealed, lifeNumber, fence)
  }
  const run = beginRun(state, setup, life, 'promote', fence)
  const worker: Worker = {
    ...{ who: 'worker', id: ++state.ids, life: lifeNumber, job: 'gate', at: source ? 'copy' : 'refuse' },
    ...{ fence, revision: asset.revision, run, source: source?.key ?? null, etag: source?.etag ?? null, sealed, read: null },
    ...{ faults: past.faults, heldUntil: state.now + durations.lease - durations.margin, renewAt: state.now + durations.lease / 3 },
    ...{ variantFence: 0, variantKey: null, isStored: false },
  }
  if (past.leasesLost >= 5) refuse(state, setup, worker, worker.source)
  else state.actors.push(worker)
}

const takeToGate = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset } = life
  if (!asset) return
  const hasLapsed = asset.state === 'analyzing'
  const fence = asset.fence + 1
  const due = setup.rules.due ? state.now + setup.durations.lease : null
  Object.assign(asset, { state: 'analyzing', fence, revision: asset.revision + 1, due })
  if (!hasLapsed) return
  doomWhere(state, setup, state.now, (row) => isReservedOriginal(row, lifeNumber) && row.fence < fence)
  endRuns(life, 'failed', 'lease_lost', (run) => run.job === 'promote' && run.fence < fence)
}

export const isReservedOriginal = (row: State['objects'][number], life: number): boolean =>
  row.life === life && row.state === 'reserved' && roleOf(row.key) === 'original'

/** Until when what this worker sends may land. */
export const writesLandUntil = (worker: Worker, { durations }: Setup): number => worker.heldUntil + durations.ownWatch

/** @returns true when it is over. */
export const stepGate = (state: State, setup: Setup, worker: Worker, landing: Landing): boolean => {
  if (worker.at === 'copy') return copy(state, setup, worker, landing)
  if (worker.at === 'recheck') {
    worker.at = worker.source !== null && state.bucket[worker.source] === worker.etag ? 'read' : 'refuse'
    return false
  }
  if (worker.at === 'read') {
    worker.read = state.bucket[(setup.rules.gateSealed ? worker.sealed : worker.source) ?? ''] ?? null
    worker.at = worker.read === null ? 'fault' : 'judge'
    return false
  }
  if (worker.at === 'judge') {
    const passes = worker.read === 'a' || worker.read === 'b'
    return passes ? admit(state, setup, worker) : refuse(state, setup, worker, worker.sealed)
  }
  if (worker.at === 'refuse') return refuse(state, setup, worker, null)
  return fault(state, setup, worker)
}

const copy = (state: State, setup: Setup, worker: Worker, landing: Landing): boolean => {
  const key = worker.sealed ?? ''
  const call = { op: 'copy', key, from: worker.source, bytes: worker.etag, isClient: false } as const
  const answer = send(state, setup, call, landing, writesLandUntil(worker, setup))
  if (answer !== null) worker.at = answer ? (setup.honours.ifMatch ? 'read' : 'recheck') : 'refuse'
  else if (setup.rules.freshKey) worker.at = 'fault'
  return false
}

/** What every settling statement asks: is this still the lease that it was done under? */
const holds = (state: State, setup: Setup, worker: Worker): Life['asset'] => {
  const { asset } = lifeOf(state, worker.life)
  if (!setup.rules.claimCommits) {
    if (!mayClaim(state, worker.life) || asset?.fence !== worker.fence - 1) return null
    takeToGate(state, setup, worker.life)
    return asset
  }
  if (asset?.state !== 'analyzing') return null
  return setup.rules.fence && asset.fence !== worker.fence ? null : asset
}

const confirm = (state: State, setup: Setup, worker: Worker, key: string): boolean => {
  const { rules } = setup
  if ((!rules.rowFirst || !rules.claimCommits) && !objectAt(state, key)) reserve(state, key, worker.life, worker.fence)
  const object = objectAt(state, key)
  if (rules.fence && (object?.state !== 'reserved' || object.fence !== worker.fence)) return false
  if (object) Object.assign(object, { state: 'present', etag: worker.read, due: null, since: state.now })
  return true
}

const doomOthers = (state: State, setup: Setup, worker: Worker, keptKey: string | null): void => {
  const others = (row: State['objects'][number]): boolean =>
    row.life === worker.life && roleOf(row.key) !== 'variant' && row.key !== keptKey
  doomWhere(state, setup, state.now + setup.durations.wakeUp, (row) => others(row) && row.key === worker.source)
  doomWhere(state, setup, state.now, others)
}

const admit = (state: State, setup: Setup, worker: Worker): boolean => {
  const { rules, durations } = setup
  const { sealed } = worker
  const life = lifeOf(state, worker.life)
  const found = life.asset
  if (rules.fence && rules.claimCommits && (found?.revision !== worker.revision || isDue(found.due, state.now))) return true
  const asset = holds(state, setup, worker)
  if (!asset || sealed === null || !confirm(state, setup, worker, sealed)) return true
  Object.assign(asset, { state: setup.hasVariant ? 'processing' : 'available', object: sealed, passed: true, due: null })
  Object.assign(asset, { revision: asset.revision + 1, gated: worker.read })
  doomOthers(state, setup, worker, sealed)
  if (!setup.hasVariant) {
    endRuns(life, 'succeeded', null, ({ id }) => id === worker.run)
    return true
  }
  const fence = life.variant ? life.variant.fence + 1 : 0
  life.variant = { state: 'processing', fence, due: state.now + durations.lease, object: life.variant?.object ?? null }
  const key = `v${worker.life}.${fence}`
  reserve(state, key, worker.life, fence)
  Object.assign(worker, { at: 'put', variantFence: fence, variantKey: key })
  return false
}

/** @param keptKey the bytes that an operator may want to look at */
const refuse = (state: State, setup: Setup, worker: Worker, keptKey: string | null): boolean => {
  const life = lifeOf(state, worker.life)
  const asset = holds(state, setup, worker)
  if (!asset || (keptKey !== null && keptKey === worker.sealed && !confirm(state, setup, worker, keptKey))) return true
  const due = keptKey === null || !setup.rules.due ? null : state.now + setup.durations.keep
  Object.assign(asset, { state: 'quarantined', object: keptKey, due, revision: asset.revision + 1 })
  doomOthers(state, setup, worker, keptKey)
  endRuns(life, 'succeeded', 'refused', ({ id }) => id === worker.run)
  return true
}

export const mayRelease = (state: State, life: number): boolean => {
  const { asset } = lifeOf(state, life)
  return asset?.state === 'quarantined' && objectAt(state, asset.object)?.state === 'present'
}

/** An operator sends what is kept through the gate once more. Nothing keeps what was released meanwhile. */
export const release = (state: State, { durations, rules }: Setup, life: number): void => {
  const { asset } = lifeOf(state, life)
  if (!asset || !mayRelease(state, life)) return
  const due = rules.due ? state.now + durations.wakeUp : null
  Object.assign(asset, { state: 'validating', due, revision: asset.revision + 1 })
  for (const row of state.attachments) if (row.life === life && row.standing === 'released') row.due = state.now
}

/** The asset waits and is tried again; a worker whose lease is over says nothing. */
const fault = (state: State, setup: Setup, worker: Worker): boolean => {
  if (worker.heldUntil <= state.now || !setup.rules.claimCommits) return true
  const life = lifeOf(state, worker.life)
  const asset = holds(state, setup, worker)
  if (!asset) return true
  const due = setup.rules.due ? state.now + backoff(setup, worker.faults + 1) + setup.durations.wakeUp : null
  Object.assign(asset, { state: 'validating', due, revision: asset.revision + 1 })
  doomWhere(state, setup, state.now, (row) => isReservedOriginal(row, worker.life) && row.fence === worker.fence)
  endRuns(life, 'failed', 'storage_failed', ({ id }) => id === worker.run)
  return true
}

/**
 * What a worker's timer does: it prolongs the lease, or finds that it is over and ends what it does. `isSent`: what it was about to write is on
 * its way then. @returns true when it is over.
 */
export const beat = (state: State, setup: Setup, worker: Worker, isSent: boolean): boolean => {
  const { durations } = setup
  const { asset, variant } = lifeOf(state, worker.life)
  const isAtGate = worker.at !== 'put' && worker.job === 'gate'
  const row = isAtGate ? asset : variant
  const fence = isAtGate ? worker.fence : worker.variantFence
  const isHeld = row?.fence === fence && row.state === (isAtGate ? 'analyzing' : 'processing')
  if (worker.heldUntil > state.now && isHeld) {
    row.due = state.now + durations.lease
    Object.assign(worker, { heldUntil: state.now + durations.lease - durations.margin, renewAt: state.now + durations.lease / 3 })
    return false
  }
  if (isSent) sendOff(state, setup, worker)
  if (worker.at !== 'put') return true
  worker.isStored = false
  return settleVariant(state, setup, worker, { delay: 0, code: worker.job === 'gate' ? 'worker_stopped' : 'storage_failed' })
}

/** What a worker was about to write is on its way, and its answer will find nobody. */
export const sendOff = (state: State, setup: Setup, worker: Worker): void => {
  const by = writesLandUntil(worker, setup)
  const { at, sealed, variantKey, source, etag, read } = worker
  if (at === 'copy' && sealed !== null) state.late.push({ op: 'copy', key: sealed, from: source, bytes: etag, isClient: false, by })
  if (at === 'put' && variantKey !== null)
    state.late.push({ op: 'put', key: variantKey, from: null, bytes: `~${read ?? ''}`, isClient: false, by })
}
