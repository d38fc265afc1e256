/** Where time comes from. Nothing else in src/ may read the wall clock. */
export interface Clock {
  /** The database's time, carried forward by the machine's monotonic clock. */
  now(): Date
  /** Milliseconds that never go back: what leases and timeouts are measured by. */
  monotonicMs(): number
  /** Resolves after that many milliseconds of this clock, or rejects when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Makes `now()` go on from there; what the database said is put in at `ready()` and at each look of a worker. */
  setTo(time: Date): void
}

/** Reads the database's own clock; a port, so that a test can set it apart from `Clock`. */
export interface DatabaseClock {
  read(): Promise<Date>
}
