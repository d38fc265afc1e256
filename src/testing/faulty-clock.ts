import type { Clock, DatabaseClock } from '../core/clock.ts'
import type { SettableClock } from './clock.ts'
import { createDecider, type FaultOptions, type Faults, type PortCall } from './faults.ts'

/**
 * What goes wrong with a clock, just before somebody reads it:
 * - `jump_forward`: it goes ahead of the other one, and stays there.
 * - `jump_back`: it falls behind.
 */
export type ClockFaultKind = 'jump_forward' | 'jump_back'

/** `read` asks the database's clock, `now` the process's own. */
export type ClockOperation = 'read' | 'now'

export type ClockCall = PortCall<'clock', ClockOperation>

export interface ClockFaultOptions extends Omit<FaultOptions<ClockCall, ClockFaultKind>, 'slowMs' | 'clock'> {
  /** Default: two days. */
  readonly jumpSeconds?: number
}

export interface FaultyClock extends Faults<ClockCall, ClockFaultKind> {
  /** For `createTestRindle`: the settable clock, which jumps. */
  readonly clock: Clock
  readonly databaseClock: DatabaseClock
}

/**
 * Clocks that jump now and then, by chance that a seed replays or by plan: what an operator, a fail-over, a machine that was suspended do to
 * them. Time itself is moved by `settable`.
 *
 * @throws RindleError `argument_invalid`
 */
export const faultyClock = (settable: SettableClock, options: ClockFaultOptions = {}): FaultyClock => {
  const { jumpSeconds = 172_800, ...others } = options
  const decider = createDecider<ClockCall, ClockFaultKind>(others, () => ['jump_forward', 'jump_back'])
  const jumped = (operation: ClockOperation, jump: (seconds: number) => void): void => {
    const kind = decider.decide((index) => ({ port: 'clock', index, operation }))
    if (kind !== null) jump(kind === 'jump_forward' ? jumpSeconds : -jumpSeconds)
  }
  return {
    ...decider.faults,
    clock: {
      ...settable,
      now() {
        jumped('now', settable.advanceMachine)
        return settable.now()
      },
    },
    databaseClock: {
      async read() {
        jumped('read', settable.advanceDatabase)
        return settable.database.read()
      },
    },
  }
}
