/** How often every worker looks at the clocks, and the one that holds the lease at what is due. */
export const lookSeconds = 5
/** How long the worker that sweeps or emits may be silent before another does it. */
export const opsLeaseSeconds = 10
/** So many rows of a table a look takes on at most. */
export const sweepLimit = 200
/** The two clocks may part so far between two looks. */
const clockToleranceSeconds = 60
/** So long nothing is expired or deleted after they parted further. */
export const clockDoubtSeconds = 3_600
/** History is kept for thirty days. */
export const historySeconds = 2_592_000
/** Jobs are found by notification; this often somebody looks as well. */
export const pollSeconds = 2
/** A job's folder in which nothing was written for so long belongs to a worker that was killed. */
export const scratchSeconds = 3_600

/** How often what storage lists is held against the rows. */
export const reconcileEverySeconds = 86_400
/** A worker that starts leaves storage alone for so long: a restart in a loop must not list buckets without end, and clocks are compared first. */
export const reconcileAfterSeconds = 300
/** A worker that may not reconcile now asks again after so long. */
export const reconcileAgainSeconds = 3_600
/** What is younger than this is never taken for abandoned. */
export const strayAfterSeconds = 86_400
/** The same of uploads in parts at keys that apps choose: longer than anything that was signed is good for. */
export const strayUnmanagedAfterSeconds = 604_800
/** So many objects, and so many uploads, of a store are taken away at one time at most. */
export const strayLimit = 10_000

/** What both clocks said at one look. */
export interface ClockReading {
  readonly database: Date
  readonly monotonicMs: number
}

/** Whether database and machine agree on how much time has passed. Of a first look nothing can be said. */
export const compareClocks = (previous: ClockReading | null, reading: ClockReading): 'first' | 'agree' | 'differ' => {
  if (!previous) return 'first'
  const databaseMs = reading.database.getTime() - previous.database.getTime()
  const machineMs = reading.monotonicMs - previous.monotonicMs
  return Math.abs(databaseMs - machineMs) <= clockToleranceSeconds * 1000 ? 'agree' : 'differ'
}
