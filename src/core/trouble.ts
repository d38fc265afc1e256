import type { AnyRindleError } from './errors.ts'

/** So many leases in a row that ran out, and the file is held back as one that kills workers. */
export const lostLeases = 5
/** So often may the decoder die over one file while its worker lives. */
const killedDecoders = 2
/** So often it may get too little of the machine to come to an end: then it is held back as one that ends decoders. */
const starvedDecoders = 10

const firstBackoffSeconds = 5
const lastBackoffSeconds = 3_600

/** How long to wait after the `faults`-th fault in a row: 5 s, doubled each time, at most an hour. */
export const backoffSeconds = (faults: number): number => Math.min(lastBackoffSeconds, firstBackoffSeconds * 2 ** Math.min(faults - 1, 20))

/** One attempt at a job, as its run records it. */
export interface PastRun {
  readonly state: 'processing' | 'succeeded' | 'failed'
  readonly errorCode: string | null
}

/**
 * What attempts since the last success have to say. `runs` newest first; those still `processing` lost their lease.
 *
 * Deaths of decoders and lost leases are counted apart, and each comes to an end. Leases count in a row, since a worker may be lost for
 * reasons of its own; but a file that takes every other worker with it would go on for ever, so two among other faults count as one in a row.
 * Faults alone are no word against a file: it waits for them to pass, at most an hour at a time. Nor is it that a machine had too little
 * CPU time for its decoder; but nothing is opened for ever.
 */
export const troubleOf = (
  runs: readonly PastRun[],
): { readonly leasesLost: number; readonly decodersKilled: number; readonly decodersStarved: number; readonly faults: number } => {
  const success = runs.findIndex(({ state }) => state === 'succeeded')
  const since = (success < 0 ? runs : runs.slice(0, success)).map(({ state, errorCode }) =>
    state === 'processing' ? 'lease_lost' : errorCode,
  )
  const counted = since.filter((code) => code !== 'worker_stopped' && code !== 'processing_cancelled')
  const firstOther = counted.findIndex((code) => code !== 'lease_lost')
  return {
    leasesLost: Math.max(
      firstOther < 0 ? counted.length : firstOther,
      Math.floor(counted.filter((code) => code === 'lease_lost').length / 2),
    ),
    decodersKilled: counted.filter((code) => code === 'decoder_killed').length,
    decodersStarved: counted.filter((code) => code === 'decoder_starved').length,
    faults: counted.filter((code) => code !== 'lease_lost').length,
  }
}

/** Whether what just happened is one decoder too many for a file, with those of its past. */
export const isDeadly = (code: string, past: readonly PastRun[]): boolean => {
  const { decodersKilled, decodersStarved } = troubleOf(past)
  if (code === 'decoder_killed') return decodersKilled + 1 >= killedDecoders
  return code === 'decoder_starved' && decodersStarved + 1 >= starvedDecoders
}

/** What is told of the last of them. */
export const deathOf = (err: AnyRindleError): { readonly reason: string } => ({
  reason: err.code === 'decoder_killed' ? err.details.reason : `${starvedDecoders} times it got too little CPU time to come to an end`,
})
