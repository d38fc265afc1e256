import type { MoveOf } from './machine.ts'
import type { assetMachine } from './asset.ts'
import type { objectMachine } from './object.ts'
import type { runMachine } from './run.ts'
import type { uploadSessionMachine } from './upload-session.ts'
import type { variantMachine } from './variant.ts'

interface Moves {
  asset: MoveOf<typeof assetMachine>
  upload_session: MoveOf<typeof uploadSessionMachine>
  variant: MoveOf<typeof variantMachine> | 'progress'
  object: MoveOf<typeof objectMachine> | 'forget'
  run: MoveOf<typeof runMachine>
  attachment: 'attach' | 'replace' | 'release' | 'detach' | 'refuse'
}

type EventEntity = keyof Moves

/** For each kind of row and each way it can change: the event's name in the past tense, and what it says. */
type Catalog = {
  readonly [E in EventEntity]: Readonly<Record<Moves[E] | (E extends 'attachment' ? never : 'born'), { name: string; means: string }>>
}

/**
 * Every event there is: facts read from the history after their commit, and how far an encode has come, which only the process that encodes
 * tells. On node:diagnostics_channel each is published on `rindle:event` and
 * on the channel of its own name, such as `rindle:asset.ready`. Renaming one is a breaking change.
 */
export const eventCatalog = {
  asset: {
    born: { name: 'staged', means: 'An upload was declared.' },
    accept: { name: 'accepted', means: 'The bytes landed, and the gate has been asked to look.' },
    analyze: { name: 'analysis_started', means: 'A worker took it to the gate.' },
    give_back: { name: 'given_back', means: 'The gate did not come to an end; it will be tried again.' },
    promote: { name: 'promoted', means: 'The gate said yes.' },
    admit: { name: 'admitted', means: 'The sealed bytes became the original that is served.' },
    process: { name: 'processing_started', means: 'Image variants are being made.' },
    transcode: { name: 'transcoding_started', means: 'Audio or video variants are being made.' },
    finish: { name: 'ready', means: 'Every variant is there.' },
    degrade: { name: 'degraded', means: 'It is served, but something of it failed, was cancelled or is missing.' },
    rest: { name: 'rested', means: 'It is served, and no variant is wanted any more.' },
    refuse: { name: 'quarantined', means: 'The gate, a later scan or an operator refused it.' },
    release: { name: 'released', means: 'An operator pardoned it, and the gate looks again.' },
    doom: { name: 'deleted', means: 'Nothing holds it any more, and its bytes are being deleted.' },
  },
  upload_session: {
    born: { name: 'initialized', means: 'A key was reserved for an upload.' },
    sign: { name: 'signed', means: 'A ticket went out.' },
    resume: { name: 'resumed', means: 'A resumable client asked where to go on.' },
    receive: { name: 'receiving_started', means: 'Bytes began to arrive through us.' },
    gather: { name: 'gathered', means: 'All bytes were there.' },
    verify: { name: 'verified', means: 'Storage was seen to hold what was announced.' },
    complete: { name: 'completed', means: 'The asset took the object over.' },
    retry: { name: 'retried', means: 'What landed was wrong; a fresh key was reserved.' },
    fail: { name: 'failed', means: 'The upload could never be right.' },
    abort: { name: 'aborted', means: 'Its owner gave up.' },
    expire: { name: 'expired', means: 'Its time was up.' },
  },
  variant: {
    born: { name: 'planned', means: 'The profile wants it.' },
    enqueue: { name: 'queued', means: 'A worker was asked to make it.' },
    start: { name: 'started', means: 'A worker began to make it.' },
    progress: { name: 'progress', means: 'So much of it is made: at most once a second, by the worker that makes it, and in no history.' },
    finish: { name: 'ready', means: 'It is stored and served.' },
    give_back: { name: 'given_back', means: 'It was not finished; it will be tried again.' },
    fail: { name: 'failed', means: 'It cannot be made.' },
    cancel: { name: 'cancelled', means: 'Someone stopped it.' },
    outdate: { name: 'outdated', means: 'Its recipe moved on; what there is serves until its successor is ready.' },
    miss: { name: 'missed', means: 'Its object was found gone.' },
    drop: { name: 'purged', means: 'It is wanted no more, or its asset goes.' },
    plan_again: { name: 'planned_again', means: 'It is to be made anew.' },
  },
  object: {
    born: { name: 'reserved', means: 'A key was set aside for one attempt to write.' },
    confirm: { name: 'stored', means: 'Its bytes were seen in storage.' },
    doom: { name: 'doomed', means: 'Nothing needs it any more; it is to be deleted.' },
    delete: { name: 'deleted', means: 'Storage confirmed that it is gone.' },
    forget: { name: 'forgotten', means: 'Nothing can land there any more, so its row went.' },
  },
  run: {
    born: { name: 'started', means: 'A worker began an attempt.' },
    succeed: { name: 'succeeded', means: 'The attempt recorded its outcome.' },
    fail: { name: 'failed', means: 'The attempt ended without one.' },
  },
  attachment: {
    attach: { name: 'attached', means: 'An asset was put into a slot.' },
    replace: { name: 'settled', means: 'What waited for the gate took its place in the slot.' },
    release: { name: 'released', means: 'Another asset took its place in the slot.' },
    detach: { name: 'detached', means: 'It was taken out of its slot.' },
    refuse: { name: 'refused', means: 'The gate refused what had been put into the slot.' },
  },
} as const satisfies Catalog

type Names<E extends EventEntity> = (typeof eventCatalog)[E][keyof (typeof eventCatalog)[E]] extends { name: infer N extends string }
  ? `${E}.${N}`
  : never

export type EventName = { [E in EventEntity]: Names<E> }[EventEntity]

/** One change of one row, after its commit. Ids, names and words for people: never a key, an address or a file's name. */
export interface RindleEvent {
  /** The same when the event is sent a second time, which only happens after a crash in between. */
  readonly id: string
  /** `<entity>.<name of the catalogue>`, such as `asset.ready`. */
  readonly name: string
  readonly at: Date
  readonly entity: string
  readonly entityId: string
  /** Null for what belongs to no asset. */
  readonly assetId: string | null
  readonly from: string | null
  readonly to: string
  readonly actor: string | null
  readonly reason: string | null
  /** Only of `variant.progress`: 0 to 100. */
  readonly progress?: number
}

const entries: ReadonlyMap<string, string> = new Map(
  Object.entries(eventCatalog).flatMap(([entity, moves]) =>
    Object.entries(moves).map(([move, { name }]) => [`${entity} ${move}`, `${entity}.${name}`] as const),
  ),
)

/** The event that a line of the history is. A move of a newer version, which this one does not know, goes by its own name. */
export const eventNameOf = (entity: string, move: string): string => entries.get(`${entity} ${move}`) ?? `${entity}.${move}`
