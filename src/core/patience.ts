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
/** What `leaseSeconds` may be at most. */
export const longestLeaseSeconds = 3_600
/** How long after its object was doomed a write of our own may still land: an hour, and the longest lease that may have just begun. */
export const writeWatchSeconds = 3_600 + longestLeaseSeconds
/** Longer than any backoff, with the longest lease after it: what is owed to a worker is looked at before. */
export const longestOwedSeconds = 7_500
/** A worker ends what it is writing so long before its lease does. */
export const leaseMarginMs = 5_000

export const secondsAfter = (at: Date, seconds: number): Date => new Date(at.getTime() + seconds * 1000)
