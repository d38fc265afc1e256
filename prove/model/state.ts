import type { Budget } from './setup.ts'

/** Seconds; null is never. */
export type Time = number | null

/** What lies at a key: what a client sent, or a variant of it, `~a`. It is its own hash and etag. */
export type Bytes = string

export type ObjectState = 'reserved' | 'present' | 'doomed' | 'watched'

export interface ObjectRow {
  /** `s0.1` is the first staging object of upload 0, `o0.2` the sealed one of its second fence, `v0.1` its variant's. */
  key: string
  life: number
  state: ObjectState
  fence: number
  due: Time
  watch: Time
  etag: Bytes | null
  since: number
}

export type AssetState =
  'staged' | 'validating' | 'analyzing' | 'available' | 'processing' | 'ready' | 'degraded' | 'quarantined' | 'deleted'

export interface AssetRow {
  state: AssetState
  fence: number
  revision: number
  due: Time
  object: string | null
  passed: boolean
  /** What the gate read when it said yes. */
  gated: Bytes | null
}

export interface SessionRow {
  state: 'initialized' | 'signed' | 'completed' | 'aborted' | 'expired'
  object: string | null
  due: Time
  expires: number
}

export interface VariantRow {
  state: 'queued' | 'processing' | 'ready' | 'failed' | 'cancelled' | 'purged'
  fence: number
  due: Time
  object: string | null
}

export interface RunRow {
  id: number
  job: 'promote' | 'build'
  fence: number
  state: 'processing' | 'succeeded' | 'failed'
  code: string | null
}

/** One upload with all that comes of it. Null is a row that is gone. */
export interface Life {
  asset: AssetRow | null
  session: SessionRow | null
  variant: VariantRow | null
  /** Newest first. */
  runs: RunRow[]
  /** How many staging keys it had. */
  keys: number
}

export interface AttachmentRow {
  slot: number
  life: number
  standing: 'current' | 'pending' | 'released'
  due: Time
}

export interface Ticket {
  key: string
  end: number
}

/** A call whose sender has given up on it, and that may land until `by`. */
export interface LateCall {
  op: 'put' | 'copy' | 'delete'
  key: string
  from: string | null
  /** Of a put: what it carries. Of a copy: the etag that it asks for. */
  bytes: Bytes | null
  isClient: boolean
  by: number
}

/** Asks storage whether an upload is there, and settles it. */
export interface Verifier {
  readonly who: 'verifier'
  id: number
  life: number
  /** `accept`: only where an event takes two commits. */
  at: 'head' | 'settle' | 'accept'
  session: SessionRow['state']
  key: string
  found: Bytes | null
}

/** Takes an asset through the gate (`gate`), or makes its variant again (`build`). */
export interface Worker {
  readonly who: 'worker'
  id: number
  life: number
  job: 'gate' | 'build'
  at: 'copy' | 'recheck' | 'read' | 'judge' | 'refuse' | 'fault' | 'put' | 'settle'
  fence: number
  revision: number
  run: number
  source: string | null
  etag: Bytes | null
  sealed: string | null
  read: Bytes | null
  faults: number
  heldUntil: number
  renewAt: number
  /** Of the variant that it holds. */
  variantFence: number
  variantKey: string | null
  isStored: boolean
}

/** Deletes one condemned object. */
export interface Deleter {
  readonly who: 'deleter'
  id: number
  at: 'delete' | 'settle'
  key: string
  state: ObjectState
  watch: Time
  since: number
  /** When the deletion was sent, at the earliest. */
  begun: number
  isGone: boolean
}

/** Takes an asset away; in two steps only where nobody locks before looking. */
export interface Purger {
  readonly who: 'purger'
  id: number
  at: 'doom'
  life: number
}

export type Actor = Verifier | Worker | Deleter | Purger

export interface State {
  now: number
  lives: Life[]
  objects: ObjectRow[]
  attachments: AttachmentRow[]
  bucket: Record<string, Bytes>
  late: LateCall[]
  tickets: Ticket[]
  actors: Actor[]
  left: Record<keyof Budget, number>
  /** Ids given out to actors and runs. */
  ids: number
}

const cloneOf = <T extends object>(one: T): T => ({ ...one })

/** What an action may change, so that the state it came from stays what it was. */
export const draftOf = (state: State): State => ({
  ...state,
  lives: state.lives.map((life) => ({
    asset: life.asset && cloneOf(life.asset),
    session: life.session && cloneOf(life.session),
    variant: life.variant && cloneOf(life.variant),
    runs: life.runs.map(cloneOf),
    keys: life.keys,
  })),
  objects: state.objects.map(cloneOf),
  attachments: state.attachments.map(cloneOf),
  bucket: { ...state.bucket },
  late: state.late.map(cloneOf),
  tickets: state.tickets.map(cloneOf),
  actors: state.actors.map(cloneOf),
  left: { ...state.left },
})

export const deliverable: readonly AssetState[] = ['available', 'processing', 'ready', 'degraded']
export const inGate: readonly AssetState[] = ['validating', 'analyzing']

export const isOpen = (session: SessionRow | null): session is SessionRow => session?.state === 'initialized' || session?.state === 'signed'

export const isDue = (due: Time, now: number): boolean => due !== null && due <= now

export const roleOf = (key: string): 'staging' | 'original' | 'variant' =>
  key.startsWith('s') ? 'staging' : key.startsWith('o') ? 'original' : 'variant'
