import { channel } from 'node:diagnostics_channel'
import type { Telemetry } from '../../core/ports/telemetry.ts'

/**
 * Publishes on node:diagnostics_channel: every event on `rindle:event`, and on the channel of its own name, such as `rindle:asset.ready`.
 * What a subscriber throws becomes an uncaught exception of its own and stops nothing here, as that module promises.
 */
export const createTelemetry = (): Telemetry => {
  const all = channel('rindle:event')
  return {
    publish(event) {
      if (all.hasSubscribers) all.publish(event)
      const own = channel(`rindle:${event.name}`)
      if (own.hasSubscribers) own.publish(event)
    },
  }
}
