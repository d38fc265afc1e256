import type { RindleContext } from '../../context.ts'
import { type Inquiry, type InvariantFinding, type InvariantName, invariants, type Looked } from '../../core/invariants.ts'
import { secondsAfter } from '../../core/patience.ts'
import { clockDoubtSeconds, historySeconds } from '../../core/schedule.ts'
import { askRows, entityOf, walkedTables } from '../../database/queries/invariants.ts'
import { listForgottenReleases, listIllegalMoves, listUngated, listUntoldStates } from '../../database/queries/invariants-of-history.ts'
import { lookForObjects } from '../steps/look-for-objects.ts'
import { lookForStrays } from '../steps/look-for-strays.ts'

export interface InvariantOptions {
  /** Also what holds only once nothing is under way. */
  readonly quiet?: boolean
  /** Of so many objects at most the bytes are read back: `Infinity` for all, 0 for none. Default 1000, another part of them every time. */
  readonly bytes?: number
  /** Whether storage is asked at all. Default true. */
  readonly storage?: boolean
  /** So long may what is due wait to be touched. Default: an hour, in which nothing is expired or deleted after clocks parted, and three leases. */
  readonly overdueSeconds?: number
  /** So many findings of each invariant at most. Default 100. */
  readonly limit?: number
  /** Hears now and then how far it has come. */
  readonly say?: (line: string) => void
  readonly signal?: AbortSignal
}

export interface InvariantReport {
  readonly findings: readonly InvariantFinding[]
  /** Of which there are more than the limit. */
  readonly cut: readonly InvariantName[]
  /** Stores that did not answer everything, so that not all is known: how often, and the first error. */
  readonly unanswered: readonly { readonly store: string; readonly calls: number; readonly err: unknown }[]
  readonly looked: Readonly<Looked>
}

const pageSize = 1_000
const sayEveryMs = 5_000
/** The end of the history that may be going just now is not asked. */
const goingSeconds = 86_400

/**
 * Asks of every row, and of storage, whether what must be so is so. Read-only, and right on a system that works meanwhile: each question is
 * asked in one snapshot, a page of rows at a time, and of storage in an order in which nothing that is being born or deleted is taken for a
 * breach. Of the history one reading sorts all of it, on the server.
 *
 * @throws RindleError `database_unavailable`; the reason of `signal`. A store that fails is `unanswered`.
 */
export async function checkInvariants(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'clock' | 'leaseSeconds'>,
  options: InvariantOptions = {},
): Promise<InvariantReport> {
  const { quiet = false, bytes = 1_000, storage = true, limit = 100, signal } = options
  const overdueSeconds = options.overdueSeconds ?? clockDoubtSeconds + 3 * ctx.leaseSeconds
  const { report, inquiry } = openInquiry(ctx, { limit, ...(options.say ? { say: options.say } : {}), ...(signal ? { signal } : {}) })

  for (const table of walkedTables) {
    for (let after: string | null = null, more = true; more;) {
      signal?.throwIfAborted()
      const page = await askRows(ctx.db.pool, { table, quiet, after, limit: pageSize, at: ctx.clock.now(), overdueSeconds })
      for (const { invariant, id, found } of page.breaches) inquiry.breach({ invariant, entity: entityOf(table), id, found })
      inquiry.looked('rows', page.rows)
      after = page.last
      more = after !== null
    }
  }
  const reading = { from: secondsAfter(ctx.clock.now(), goingSeconds - historySeconds), limit: limit + 1 }
  for (const list of [listIllegalMoves, listUntoldStates, listUngated, listForgottenReleases]) {
    signal?.throwIfAborted()
    for (const breach of await list(ctx.db.pool, reading)) inquiry.breach(breach)
  }
  if (storage) {
    await lookForObjects(ctx, inquiry, { bytes })
    await lookForStrays(ctx, inquiry, { quiet })
  }
  return report()
}

interface Opening {
  readonly limit: number
  readonly say?: (line: string) => void
  readonly signal?: AbortSignal
}

const openInquiry = (
  ctx: Pick<RindleContext, 'clock'>,
  { limit, say, signal }: Opening,
): { readonly report: () => InvariantReport; readonly inquiry: Inquiry } => {
  const findings = new Map<InvariantName, Map<string, InvariantFinding>>()
  const cut = new Set<InvariantName>()
  const unanswered = new Map<string, { calls: number; readonly err: unknown }>()
  const looked: Looked = { rows: 0, objects: 0, keys: 0, bytes: 0 }
  let saidAtMs = ctx.clock.monotonicMs()
  const of = (invariant: InvariantName): Map<string, InvariantFinding> => {
    const known = findings.get(invariant) ?? new Map<string, InvariantFinding>()
    findings.set(invariant, known)
    return known
  }
  const names = Object.keys(invariants).filter(isInvariant)
  return {
    report: () => ({
      findings: names.flatMap((name) => [...(findings.get(name)?.values() ?? [])]),
      cut: names.filter((name) => cut.has(name)),
      unanswered: [...unanswered].map(([store, { calls, err }]) => ({ store, calls, err })),
      looked,
    }),
    inquiry: {
      signal,
      room: (invariant) => limit + 1 - of(invariant).size - (cut.has(invariant) ? 1 : 0),
      breach(finding) {
        const known = of(finding.invariant)
        if (known.has(finding.id)) return
        if (known.size < limit) known.set(finding.id, finding)
        else cut.add(finding.invariant)
      },
      looked(what, count = 1) {
        looked[what] += count
        const nowMs = ctx.clock.monotonicMs()
        if (!say || nowMs - saidAtMs < sayEveryMs) return
        saidAtMs = nowMs
        say(`${looked.rows} rows, ${looked.objects} objects and ${looked.keys} keys looked at, ${looked.bytes} bytes read.`)
      },
      leaveOut(store, err) {
        const known = unanswered.get(store) ?? { calls: 0, err }
        known.calls += 1
        unanswered.set(store, known)
      },
    },
  }
}

const isInvariant = (name: string): name is InvariantName => Object.hasOwn(invariants, name)
