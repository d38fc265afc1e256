import type { RindleContext } from '../../context.ts'
import {
  type Inquiry,
  type InvariantBreach,
  type InvariantFinding,
  type InvariantName,
  invariants,
  type Looked,
} from '../../core/invariants.ts'
import { assetIdOfKey } from '../../core/object-key.ts'
import { secondsAfter } from '../../core/patience.ts'
import { clockDoubtSeconds, historySeconds } from '../../core/schedule.ts'
import { askRows, invariantsOfRows, walkedTables } from '../../database/queries/invariants.ts'
import { listForgottenReleases, listIllegalMoves, listUngated, listUntoldStates } from '../../database/queries/invariants-of-history.ts'
import { listPlaces } from '../../database/queries/invariants-places.ts'
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
  /** Those that were asked to the end, of all rows and of every store that answered. */
  readonly asked: readonly InvariantName[]
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
  const steps = stepsOf(ctx, inquiry, options)
  const done = new Set<Step>()
  try {
    for (const step of steps) {
      signal?.throwIfAborted()
      await step.ask()
      done.add(step)
    }
  } catch (err) {
    if (!signal?.aborted) throw err
  }
  const { breaches, ...rest } = report()
  const missed = new Set(steps.filter((step) => !done.has(step) || (step.asksStorage && rest.unanswered.length > 0)).flatMap(aboutOf))
  const asked = [...new Set(steps.flatMap(aboutOf))].filter((name) => !missed.has(name))
  return { ...rest, asked, isStopped: done.size < steps.length, findings: await placed(ctx, breaches) }
}

/** One reading of all of something, and what it is to tell about. */
interface Step {
  readonly about: readonly InvariantName[]
  readonly asksStorage?: boolean
  ask(): Promise<void>
}

const aboutOf = ({ about }: Step): readonly InvariantName[] => about

const stepsOf = (
  ctx: Pick<RindleContext, 'db' | 'stores' | 'clock' | 'leaseSeconds'>,
  inquiry: Inquiry,
  {
    quiet = false,
    bytes = 1_000,
    storage = true,
    limit = 100,
    overdueSeconds = clockDoubtSeconds + 3 * ctx.leaseSeconds,
  }: InvariantOptions,
): readonly Step[] => {
  const reading = { from: secondsAfter(ctx.clock.now(), goingSeconds - historySeconds), limit: limit + 1 }
  const hasUploads = ctx.stores.all().some((store) => store.supports('multipart_upload'))
  const ofHistory = (name: InvariantName, list: typeof listIllegalMoves): Step => ({
    about: [name],
    async ask() {
      for (const breach of await list(ctx.db.pool, reading)) inquiry.breach(breach)
    },
  })
  return [
    { about: invariantsOfRows(quiet), ask: () => askAllRows(ctx, inquiry, { quiet, overdueSeconds }) },
    ofHistory('legal-moves', listIllegalMoves),
    ofHistory('state-told', listUntoldStates),
    ofHistory('gate-passed', listUngated),
    ofHistory('detached-goes', listForgottenReleases),
    ...(storage
      ? ([
          { about: bytes > 0 ? ['stored', 'bytes'] : ['stored'], asksStorage: true, ask: () => lookForObjects(ctx, inquiry, { bytes }) },
          {
            about: ['known', ...(hasUploads ? (['uploads-known'] as const) : []), ...(quiet ? (['quiet'] as const) : [])],
            asksStorage: true,
            ask: () => lookForStrays(ctx, inquiry, { quiet }),
          },
        ] satisfies Step[])
      : []),
  ]
}

const askAllRows = async (
  ctx: Pick<RindleContext, 'db' | 'clock'>,
  inquiry: Inquiry,
  asking: { readonly quiet: boolean; readonly overdueSeconds: number },
): Promise<void> => {
  for (const table of walkedTables) {
    for (let after: string | null = null, more = true; more; more = after !== null) {
      inquiry.signal?.throwIfAborted()
      const page = await askRows(ctx.db.pool, { ...asking, table, after, limit: pageSize, at: ctx.clock.now() })
      for (const breach of page.breaches) inquiry.breach(breach)
      inquiry.looked('rows', page.rows)
      after = page.last
    }
  }
}

/** With the asset and the object that each is about. */
const placed = async (ctx: Pick<RindleContext, 'db'>, breaches: readonly InvariantBreach[]): Promise<readonly InvariantFinding[]> => {
  const places = await listPlaces(ctx.db.pool, breaches)
  return breaches.map((breach, index) => {
    const { assetId = null, object = null } = places[index] ?? {}
    const stray = breach.object ?? null
    return { ...breach, assetId: assetId ?? (stray && assetIdOfKey(stray.key)), object: object ?? stray }
  })
}

interface Heard extends Pick<InvariantReport, 'cut' | 'unanswered' | 'looked'> {
  readonly breaches: readonly InvariantBreach[]
}

interface Opening {
  readonly limit: number
  readonly say?: (line: string) => void
  readonly signal?: AbortSignal
}

const openInquiry = (
  ctx: Pick<RindleContext, 'clock'>,
  { limit, say, signal }: Opening,
): { readonly report: () => Heard; readonly inquiry: Inquiry } => {
  const breaches = new Map<InvariantName, Map<string, InvariantBreach>>()
  const cut = new Set<InvariantName>()
  const unanswered = new Map<string, { calls: number; inARow: number; readonly err: unknown; isGivenUp: boolean }>()
  const looked: Looked = { rows: 0, objects: 0, keys: 0, bytes: 0 }
  let saidAtMs = ctx.clock.monotonicMs()
  const of = (invariant: InvariantName): Map<string, InvariantBreach> => {
    const known = breaches.get(invariant) ?? new Map<string, InvariantBreach>()
    breaches.set(invariant, known)
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
    report: () => ({
      breaches: names.flatMap((name) => [...(breaches.get(name)?.values() ?? [])]),
      cut: names.filter((name) => cut.has(name)),
      unanswered: [...unanswered].map(([store, { calls, err, isGivenUp }]) => ({ store, calls, err, isGivenUp })),
      looked,
    }),
    inquiry: {
      signal,
      room: (invariant) => limit + 1 - of(invariant).size - (cut.has(invariant) ? 1 : 0),
      breach(breach) {
        const known = of(breach.invariant)
        if (known.has(breach.id)) return
        if (known.size < limit) known.set(breach.id, breach)
        else cut.add(breach.invariant)
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
