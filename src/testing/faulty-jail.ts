import { stat, truncate } from 'node:fs/promises'
import { RindleError } from '../core/errors.ts'
import type { Jail, Verdict, Visit } from '../core/ports/jail.ts'
import { createDecider, type Decider, type FaultOptions, type Faults, type PortCall } from './faults.ts'

/**
 * What goes wrong with the child processes that decode:
 * - `fail_before`: none can be started.
 * - `killed`: it dies under its visit, and nothing that it made is there.
 * - `hang`: it computes without end, until the visit's time is over or its signal aborts.
 * - `starved`: the same, where the machine had no time for it.
 * - `slow`: it begins later, and then goes well.
 * - `cut_output`: a variant that it made is shorter than it said; one of its own choice, by the seed.
 */
export type JailFaultKind = 'fail_before' | 'killed' | 'hang' | 'starved' | 'slow' | 'cut_output'

export type JailOperation = 'visit' | 'warm' | 'report'

export interface JailCall extends PortCall<'jail', JailOperation> {
  /** Of a visit: what it is for, and how many variants it is asked to make. */
  readonly purpose: Visit['purpose'] | null
  readonly variants: number
}
export type JailFaultOptions = FaultOptions<JailCall, JailFaultKind>

export interface FaultyJail extends Faults<JailCall, JailFaultKind> {
  /** For `createTestRindle`, which hands in its own. */
  readonly jail: (jail: Jail) => Jail
}

const visiting = ['fail_before', 'killed', 'hang', 'starved', 'slow'] as const

/** What can go wrong with a call. */
export const jailFaultsOf = ({ operation, variants }: JailCall): readonly JailFaultKind[] => {
  if (operation !== 'visit') return ['fail_before', 'slow']
  return variants > 0 ? [...visiting, 'cut_output'] : visiting
}

/**
 * Decoders that die, hang and lie now and then, by chance that a seed replays or by plan. Faults are those that real ones end with:
 * `decoder_unavailable`, `decoder_killed`, `decoder_starved`, the reason of the signal; a cut variant is for others to find out.
 *
 * @throws RindleError `argument_invalid`. Calls: the same when the plan names what cannot happen to the call.
 */
export const faultyJail = (options: JailFaultOptions = {}): FaultyJail => {
  const decider = createDecider(options, jailFaultsOf)
  return { ...decider.faults, jail: (jail) => wrapped(jail, decider) }
}

const wrapped = (jail: Jail, decider: Decider<JailCall, JailFaultKind>): Jail => {
  const begun = async (operation: JailOperation, visit?: Visit): Promise<JailFaultKind | null> => {
    visit?.signal?.throwIfAborted()
    const about = { operation, purpose: visit?.purpose ?? null, variants: visit?.variants.length ?? 0 }
    const kind = decider.decide((index) => ({ port: 'jail', index, ...about }))
    if (kind === 'fail_before') throw new RindleError('decoder_unavailable', { problem: 'the process could not be started' })
    if (kind === 'slow') await decider.slow(visit?.signal)
    return kind
  }
  return {
    async visit(visit) {
      const kind = await begun('visit', visit)
      if (kind === 'killed') throw new RindleError('decoder_killed', { reason: 'it ended by SIGKILL' })
      if (kind === 'hang' || kind === 'starved') await endless(kind, visit, decider)
      const verdict = await jail.visit(visit)
      if (kind === 'cut_output') await cutOne(verdict, decider.chance())
      return verdict
    },
    async warm(children) {
      await begun('warm')
      return jail.warm(children)
    },
    async report(contentTypes) {
      await begun('report')
      return jail.report(contentTypes)
    },
    close: () => jail.close(),
  }
}

const endless = async (
  kind: 'hang' | 'starved',
  { limits: { timeoutMs, gateTimeoutMs }, purpose, signal }: Visit,
  decider: Decider<JailCall, JailFaultKind>,
): Promise<never> => {
  const ms = purpose === 'gate' ? Math.min(timeoutMs, gateTimeoutMs) : timeoutMs
  await decider.hang(signal, ms)
  if (kind === 'starved') throw new RindleError('decoder_starved', { cpuSeconds: 0, seconds: ms / 1000 })
  throw new RindleError('decoder_killed', { reason: `it took longer than ${ms} ms` })
}

const cutOne = async (verdict: Verdict, chance: number): Promise<void> => {
  const made = verdict.verdict === 'pass' ? verdict.variants.filter((variant) => variant.ok) : []
  const chosen = made[Math.floor(chance * made.length)]
  if (!chosen) return
  const { size } = await stat(chosen.path)
  await truncate(chosen.path, Math.floor(size * chance))
}
