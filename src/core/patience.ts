/** How long a row waits for the job that was enqueued with it before the sweep enqueues another. */
export const wakeUpSeconds = 60
/** What an ended upload left lies so long before it is deleted: a request that is under way may still land. */
export const residueSeconds = 3_600
/** A session's row is kept so long after it ended. */
export const endedSessionSeconds = 86_400
/** How long a ticket's end must be past before nothing can land on a store that signs: a PUT may begin before the end and take its time. */
export const signedWatchSeconds = 86_400
/** The same where our own door cuts the body off at the ticket's end. */
export const hostedWatchSeconds = 900
/** How long after its object was doomed a write of our own may still land: an hour, and the lease that may have just begun. */
export const writeWatchSeconds = 4_200
/** A worker ends what it is writing so long before its lease does. */
export const leaseMarginMs = 5_000
/** So many leases in a row that ran out, and the file is held back as one that kills workers. */
export const lostLeases = 5
/** So often may the decoder die over one file while its worker lives. */
export const killedDecoders = 2

const firstBackoffSeconds = 5
const lastBackoffSeconds = 3_600

/** How long to wait after the `faults`-th fault in a row: 5 s, doubled each time, at most an hour. */
export const backoffSeconds = (faults: number): number => Math.min(lastBackoffSeconds, firstBackoffSeconds * 2 ** Math.min(faults - 1, 20))

export const secondsAfter = (at: Date, seconds: number): Date => new Date(at.getTime() + seconds * 1000)

/** One attempt at a job, as its run records it. */
export interface PastRun {
  readonly state: 'processing' | 'succeeded' | 'failed'
  readonly errorCode: string | null
}

/** What attempts since the last success have to say. `runs` newest first; those still `processing` lost their lease. */
export const troubleOf = (
  runs: readonly PastRun[],
): { readonly leasesLost: number; readonly decodersKilled: number; readonly faults: number } => {
  const success = runs.findIndex(({ state }) => state === 'succeeded')
  const since = (success < 0 ? runs : runs.slice(0, success)).map(({ state, errorCode }) =>
    state === 'processing' ? 'lease_lost' : errorCode,
  )
  const counted = since.filter((code) => code !== 'worker_stopped')
  const firstOther = counted.findIndex((code) => code !== 'lease_lost')
  return {
    leasesLost: firstOther < 0 ? counted.length : firstOther,
    decodersKilled: counted.filter((code) => code === 'decoder_killed').length,
    faults: counted.filter((code) => code !== 'lease_lost').length,
  }
}
