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
  /** Stores that did not answer everything, so that not all is known. */
  readonly unanswered: readonly Unanswered[]
  /** Told to stop before all was asked: this is what was found until then. */
  readonly isStopped: boolean
  readonly looked: Readonly<Looked>
}

interface Unanswered {
  readonly store: string
  /** How often it failed. */
  readonly calls: number
  /** The first error. */
  readonly err: unknown
  /** After so many failures in a row it was asked no more. */
  readonly isGivenUp: boolean
}

const pageSize = 1_000
/** Of a store that lets every call wait for its end, the rest is not worth the hours. */
const mostFailuresInARow = 20
const sayEveryMs = 5_000
/** The end of the history that may be going just now is not asked. */
const goingSeconds = 86_400

/**
 * Asks of every row, and of storage, whether what must be so is so. Read-only, and right on a system that works meanwhile: each question is
 * asked in one snapshot, a page of rows at a time, and of storage in an order in which nothing that is being born or deleted is taken for a
 * breach. Of the history one reading sorts all of it, on the server. Once `signal` is aborted it ends at the next answer, with what it has.
 *
 * @throws RindleError `database_unavailable`. A store that fails is `unanswered`, and asked no more after twenty failures in a row.
 */
export async function checkInvariants(
  ctx: Pick<RindleContext, 'db' | 'stores' | 'clock' | 'leaseSeconds'>,
  options: InvariantOptions = {},
): Promise<InvariantReport> {
  const { limit = 100, say, signal } = options
  const { report, inquiry } = openInquiry(ctx, { limit, ...(say ? { say } : {}), ...(signal ? { signal } : {}) })
  try {
    await askAll(ctx, inquiry, options, limit)
    return report(false)
  } catch (err) {
    if (!signal?.aborted) throw err
    return report(true)
  }
}

const askAll = async (
  ctx: Pick<RindleContext, 'db' | 'stores' | 'clock' | 'leaseSeconds'>,
  inquiry: Inquiry,
  options: InvariantOptions,
  limit: number,
): Promise<void> => {
  const { quiet = false, bytes = 1_000, storage = true, signal } = options
  const overdueSeconds = options.overdueSeconds ?? clockDoubtSeconds + 3 * ctx.leaseSeconds
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
}

interface Opening {
  readonly limit: number
  readonly say?: (line: string) => void
  readonly signal?: AbortSignal
}

const openInquiry = (
  ctx: Pick<RindleContext, 'clock'>,
  { limit, say, signal }: Opening,
): { readonly report: (isStopped: boolean) => InvariantReport; readonly inquiry: Inquiry } => {
  const findings = new Map<InvariantName, Map<string, InvariantFinding>>()
  const cut = new Set<InvariantName>()
  const unanswered = new Map<string, { calls: number; inARow: number; readonly err: unknown; isGivenUp: boolean }>()
  const looked: Looked = { rows: 0, objects: 0, keys: 0, bytes: 0 }
  let saidAtMs = ctx.clock.monotonicMs()
  const of = (invariant: InvariantName): Map<string, InvariantFinding> => {
    const known = findings.get(invariant) ?? new Map<string, InvariantFinding>()
    findings.set(invariant, known)
    return known
  }
  const sayNowAndThen = (): void => {
    const nowMs = ctx.clock.monotonicMs()
    if (!say || nowMs - saidAtMs < sayEveryMs) return
    saidAtMs = nowMs
    const failed = [...unanswered.values()].reduce((sum, { calls }) => sum + calls, 0)
    const failures = failed > 0 ? `, ${failed} calls not answered` : ''
    say(`${looked.rows} rows, ${looked.objects} objects and ${looked.keys} keys looked at, ${looked.bytes} bytes read${failures}.`)
  }
  const names = Object.keys(invariants).filter(isInvariant)
  return {
    report: (isStopped) => ({
      findings: names.flatMap((name) => [...(findings.get(name)?.values() ?? [])]),
      cut: names.filter((name) => cut.has(name)),
      unanswered: [...unanswered].map(([store, { calls, err, isGivenUp }]) => ({ store, calls, err, isGivenUp })),
      isStopped,
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
        sayNowAndThen()
      },
      leaveOut(store, err) {
        const known = unanswered.get(store) ?? { calls: 0, inARow: 0, err, isGivenUp: false }
        known.calls += 1
        known.inARow += 1
        unanswered.set(store, known)
        if (known.inARow === mostFailuresInARow) {
          known.isGivenUp = true
          say?.(`The store ${store} failed ${mostFailuresInARow} times in a row and is asked no more.`)
        }
        sayNowAndThen()
      },
      hears(store) {
        const known = unanswered.get(store)
        if (known) known.inARow = 0
      },
      isGivenUp: (store) => unanswered.get(store)?.isGivenUp === true,
    },
  }
}

const isInvariant = (name: string): name is InvariantName => Object.hasOwn(invariants, name)
