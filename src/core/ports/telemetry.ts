import type { RindleEvent } from '../events.ts'

/** Where events go. */
export interface Telemetry {
  /** Hands one event to whoever subscribed. Never throws and never waits for them. */
  publish(event: RindleEvent): void
}
