import { isReservedOriginal } from './gate.ts'
import { doomWhere, endRuns, lifeOf } from './rows.ts'
import type { Setup } from './setup.ts'
import { type AssetRow, inGate, isDue, isOpen, type State } from './state.ts'
import { endUpload } from './upload.ts'
import { giveBackVariants } from './variants.ts'

/** What a look of the sweep asks of the queue: what a worker is to do for each row that was due. */
export interface Wakes {
  readonly promote: readonly number[]
  readonly build: readonly number[]
  readonly settle: readonly number[]
  readonly purge: readonly number[]
  readonly delete: readonly string[]
}

/** One look: what is due is cured as its machine's table says. @returns the jobs that it enqueues. */
export const sweep = (state: State, setup: Setup): Wakes => {
  const { now } = state
  const later = now + setup.durations.wakeUp
  const lives = state.lives.map((_, life) => life)
  const assets = lives.filter((life) => isDue(lifeOf(state, life).asset?.due ?? null, now))
  const variants = lives.filter((life) => isDue(lifeOf(state, life).variant?.due ?? null, now))
  const sessions = lives.filter((life) => isDue(lifeOf(state, life).session?.due ?? null, now))
  const were = state.lives.map(({ asset, variant, session }) => ({ asset: asset?.state, variant: variant?.state, isOpen: isOpen(session) }))
  const objects = state.objects.filter(({ due }) => isDue(due, now))
  const attachments = state.attachments.filter(({ due }) => isDue(due, now))
  const wasIn = (states: readonly AssetRow['state'][], life: number): boolean => states.some((one) => one === were[life]?.asset)

  const lapsed = assets.filter((life) => wasIn(['analyzing'], life))
  for (const life of lapsed) giveBackAsset(state, setup, life)
  const overdue = variants.filter((life) => were[life]?.variant === 'processing')
  for (const life of overdue) giveBackVariants(state, setup, life)
  const promote = assets.filter((life) => wasIn(['validating'], life))
  for (const life of promote) postponeAsset(state, life, later)
  const build = variants.filter((life) => were[life]?.variant !== 'processing')
  for (const life of build) Object.assign(lifeOf(state, life).variant ?? {}, { due: later })
  const unsettled = attachments.filter(({ standing }) => standing !== 'released')
  const released = attachments.filter(({ standing }) => standing === 'released')
  for (const row of attachments) row.due = later
  for (const life of sessions) if (were[life]?.isOpen) endUpload(state, setup, life, 'expired')
  for (const life of sessions) if (!were[life]?.isOpen) forgetSession(state, setup, life)
  const purge = assets.filter((life) => !wasIn(inGate, life))
  for (const life of purge) postponeAsset(state, life, later)
  for (const row of objects) if (row.state === 'doomed' || row.state === 'watched') row.due = later
  if (!setup.rules.ownersDoom) doomWhere(state, setup, now, (row) => row.state === 'reserved' && row.since < now)
  return {
    promote: [...lapsed, ...promote],
    build: [...overdue, ...build],
    settle: unsettled.map(({ life }) => life),
    purge: [...purge, ...released.map(({ life }) => life)],
    delete: objects.map(({ key }) => key),
  }
}

const postponeAsset = (state: State, life: number, later: number): void => {
  const { asset } = lifeOf(state, life)
  if (asset && isDue(asset.due, state.now)) asset.due = later
}

const giveBackAsset = (state: State, setup: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  const { asset } = life
  if (asset?.state !== 'analyzing') return
  const later = state.now + setup.durations.wakeUp
  Object.assign(asset, { state: 'validating', due: later, revision: asset.revision + 1 })
  doomWhere(state, setup, later, (row) => isReservedOriginal(row, lifeNumber) && row.fence <= asset.fence)
  endRuns(life, 'failed', 'lease_lost', (run) => run.job === 'promote' && run.fence <= asset.fence)
}

const forgetSession = (state: State, { durations }: Setup, lifeNumber: number): void => {
  const life = lifeOf(state, lifeNumber)
  if (!life.session) return
  const isNamed = state.objects.some(({ key }) => key.startsWith(`s${lifeNumber}.`))
  if (isNamed) life.session.due = state.now + durations.residue
  else life.session = null
}
