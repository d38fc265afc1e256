import type { JobName } from '../jobs.ts'

/** A wake-up for the worker. The row it names is the promise; losing the job loses nothing but time. */
export interface JobRequest {
  readonly name: JobName
  /** The id of the row that is owed work. */
  readonly id: string
  /** Seconds from now; 0 when absent. */
  readonly delaySeconds?: number
}

/** SQL that enqueues, to be embedded as one data-modifying CTE, with $1…$n for its values. */
export interface Insertion {
  readonly text: string
  readonly values: readonly unknown[]
}

export interface QueuedJob {
  readonly name: JobName
  readonly jobId: string
  readonly id: string
  /** Since when it could have been taken, by the database's clock. */
  readonly since: Date
}

export interface Queue {
  insertion(jobs: readonly JobRequest[]): Insertion
  /** Tells workers, after a commit, what was enqueued (anything, when absent): at once, then at most once in 20 ms. Never throws. */
  notify(jobs?: readonly JobRequest[]): void
  /** Takes up to `limit` jobs of that name for this process. */
  fetch(name: JobName, limit: number): Promise<readonly QueuedJob[]>
  /** Which of these ids have a job of that name that could be taken already, so that another would only make the queue longer. */
  waiting(name: JobName, ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Ends those jobs, whatever became of them: only rows count. */
  complete(jobs: readonly QueuedJob[]): Promise<void>
  /** Forgets jobs that a worker took more than a day ago and never ended, because it was killed. At most a thousand. */
  tidy(): Promise<void>
  /** Calls back with the jobs that another process or this one enqueued. Returns how to stop listening; null when notification is not available. */
  listen(wake: (names: readonly JobName[]) => void): Promise<(() => Promise<void>) | null>
  /** Opens it and checks that every queue exists. @throws RindleError `schema_version_mismatch`. */
  open(): Promise<void>
  close(): Promise<void>
}
