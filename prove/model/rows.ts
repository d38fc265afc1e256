import type { Setup } from './setup.ts'
import type { Life, ObjectRow, RunRow, State, Time } from './state.ts'

export const objectAt = (state: State, key: string | null): ObjectRow | null => state.objects.find((one) => one.key === key) ?? null

export const lifeOf = (state: State, life: number): Life => {
  const found = state.lives[life]
  if (!found) throw new RangeError(`there is no upload ${life}`)
  return found
}

export const laterOf = (one: Time, other: Time): Time => (one === null ? other : other === null ? one : Math.max(one, other))

export const reserve = (state: State, key: string, life: number, fence: number): void => {
  state.objects.push({ key, life, state: 'reserved', fence, due: null, watch: null, etag: null, since: state.now })
}

/** Dooms what is not doomed yet. What was only reserved is always watched, since its bytes may be on their way. */
export const doom = (state: State, { durations }: Setup, row: ObjectRow, due: number): void => {
  if (row.state !== 'reserved' && row.state !== 'present') return
  if (row.state === 'reserved') row.watch = laterOf(row.watch, state.now + durations.writeWatch)
  Object.assign(row, { state: 'doomed', due, since: state.now })
}

export const doomWhere = (state: State, setup: Setup, due: number, which: (row: ObjectRow) => boolean): void => {
  for (const row of state.objects) if (which(row)) doom(state, setup, row, due)
}

export const remove = (state: State, key: string): void => {
  state.objects = state.objects.filter((one) => one.key !== key)
}

export const beginRun = (state: State, { remembers }: Setup, life: Life, job: RunRow['job'], fence: number): number => {
  state.ids += 1
  if (remembers) life.runs.unshift({ id: state.ids, job, fence, state: 'processing', code: null })
  return state.ids
}

export const endRuns = (life: Life, how: 'succeeded' | 'failed', code: string | null, which: (run: RunRow) => boolean): void => {
  for (const run of life.runs) if (run.state === 'processing' && which(run)) Object.assign(run, { state: how, code })
}

/** What earlier attempts say: leases lost in a row, or half of all of them; and faults. */
export const troubleOf = (runs: readonly RunRow[]): { readonly leasesLost: number; readonly faults: number } => {
  const success = runs.findIndex(({ state }) => state === 'succeeded')
  const codes = (success < 0 ? runs : runs.slice(0, success))
    .map(({ state, code }) => (state === 'processing' ? 'lease_lost' : code))
    .filter((code) => code !== 'worker_stopped')
  const lost = codes.filter((code) => code === 'lease_lost').length
  const other = codes.findIndex((code) => code !== 'lease_lost')
  return { leasesLost: Math.max(other < 0 ? codes.length : other, Math.floor(lost / 2)), faults: codes.length - lost }
}

export const backoff = ({ durations }: Setup, faults: number): number =>
  Math.min(durations.lastBackoff, durations.firstBackoff * 2 ** Math.min(faults - 1, 20))
