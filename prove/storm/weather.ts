import { faultyStorage, type StorageFaultKind } from '../../src/testing/faulty-storage.ts'
import { storageFaultsOf, type StorageOperation } from '../../src/testing/faulty-storage/kinds.ts'
import type { Random } from '../harness.ts'
import type { Testbed, Trouble } from '../scenarios/testbed.ts'

/** What is computed here, and never sent. */
const unsent: ReadonlySet<StorageOperation> = new Set(['signPut', 'signGet', 'signPart'])

/** A write that hangs is waited for for hours, by which time the storm is over: few of them do. */
const faultOf = (operation: StorageOperation, random: Random): StorageFaultKind => {
  const kind = random.pick(storageFaultsOf[operation])
  return kind === 'hang' && operation === 'put' && random.chance(0.9) ? 'fail_before' : kind
}

export interface Weather {
  readonly trouble: Trouble
  /** Requests to storage so far, and how many of them failed. */
  counts(): { readonly requests: number; readonly failed: number }
}

/** So large a share of the calls to storage fails, in any way that they can, for so long; what clients send as well. Then all is calm. */
export const storm = (
  { clock }: Pick<Testbed, 'clock'>,
  { share, seconds, random }: { readonly share: number; readonly seconds: number; readonly random: Random },
): Weather => {
  const calmAtMs = clock.monotonicMs() + seconds * 1000
  const counts = { requests: 0, failed: 0 }
  const isStruck = (): boolean => clock.monotonicMs() < calmAtMs && random.chance(share)
  const count = (failed: boolean): void => {
    counts.requests += 1
    counts.failed += failed ? 1 : 0
  }
  return {
    counts: () => counts,
    trouble: {
      storage: (adapter) =>
        faultyStorage(adapter, {
          slowMs: 20_000,
          clock,
          plan({ operation }) {
            const kind = isStruck() ? faultOf(operation, random) : null
            if (!unsent.has(operation)) count(kind !== null)
            return kind
          },
        }).adapter,
      landing({ operation }) {
        if (operation !== 'send') return 'now'
        const landing = isStruck() ? random.pick(['never', 'unseen', 'late'] as const) : 'now'
        count(landing !== 'now')
        return landing
      },
    },
  }
}
