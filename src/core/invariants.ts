/** What must be so of every row and every object, whatever failed meanwhile. */
export interface Invariant {
  /** A sentence that is true. */
  readonly means: string
  /** `always`: at any instant, while everything works. `quiet`: once nothing is under way and what was due is done. */
  readonly holds: 'always' | 'quiet'
  /** What has to be read to know: rows, a listing and a HEAD of every object, or the objects themselves. */
  readonly reads: 'rows' | 'storage' | 'bytes'
  /** What to do about a breach. */
  readonly cure: string
}

const slots = '`rindle.detach(owner, slot)` for each slot of it in `rindle.media_attachments`'
const giveUp = `${slots}, or \`rindle.purge(assetId)\` where it is in none`
const report = `No path of the library leads here: keep the rows, look who else writes to the schema \`rindle\`, and report it. To be rid of the file: ${giveUp}.`
const restore = `Look what else writes to the store, or deletes from it, and bring the object back under its key, from the bucket’s versions or a backup. To give the file up: ${giveUp}, and have it uploaded anew.`

/** Every invariant, by the name that findings carry, in the order in which they are asked. */
export const invariants = {
  'asset-original': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'What is served points at an original of its own that is present and is the one that the gate passed; what is purged at none.',
  },
  'asset-state': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'The state of an asset that passed the gate is what its variants make it.',
  },
  'variant-object': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means:
      'A ready variant points at a present object of its own, of the recorded length, hash and recipe; a missing or purged one at none.',
  },
  'one-effect': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'Of an asset, a variant and a recipe there is one object at most.',
  },
  'objects-owned': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'A reserved object is awaited by an open upload or by the work that holds the fence, and a present one is pointed at.',
  },
  'objects-watched': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'What a late write could still reach is watched, and until when stands on its row.',
  },
  'attached-lives': {
    ...{
      holds: 'always',
      reads: 'rows',
      cure: 'Empty the slot: `rindle.detach(owner, slot)`; `rindle.media_attachments` says which. Then look who else writes to the schema `rindle`, and report it.',
    },
    means: 'What is attached is neither purged nor still awaited.',
  },
  'detached-goes': {
    ...{
      holds: 'always',
      reads: 'rows',
      cure: 'Purge the asset, if the app does not want it any more: `rindle.purge(assetId)`. Then report it.',
    },
    means: 'What lost its last slot is purged, or somebody has yet to look whether it may go.',
  },
  'slot-single': {
    ...{
      holds: 'always',
      reads: 'rows',
      cure: 'Empty the slot, `rindle.detach(owner, slot)`, and attach what belongs there. Then look who else writes to the schema `rindle`, and report it.',
    },
    means:
      'A slot that holds one has at most one current and one pending attachment; one that holds many has none pending, and no asset twice.',
  },
  'session-once': {
    ...{
      holds: 'always',
      reads: 'rows',
      cure: 'Give up an upload that is open: `rindle.cancelUpload(sessionId)`. Then look who else writes to the schema `rindle`, and report it.',
    },
    means: 'An upload is open exactly while its asset is staged and awaits one reserved object; it is verified once, if ever.',
  },
  due: {
    ...{
      holds: 'always',
      reads: 'rows',
      cure: 'Look whether a worker runs (`rindle work`), and what its log says of rows that it could not cure.',
    },
    means: 'What is owed work has a due date, none that is out of all patience, and is touched before long when that has come.',
  },
  'legal-moves': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'Every move in the history is one that the machines know, and starts where the one before it ended.',
  },
  'state-told': {
    ...{ holds: 'always', reads: 'rows', cure: report },
    means: 'Every row is in the state in which its last move left it, and none went but at the end of its life.',
  },
  'gate-passed': {
    ...{ holds: 'always', reads: 'rows', cure: `Nobody has judged it, so take it away: ${giveUp}. Then report it.` },
    means: 'Nothing is served that the gate has not passed, by its row and by its history.',
  },
  stored: {
    ...{ holds: 'always', reads: 'storage', cure: restore },
    means: 'Every present object is in storage, with the length on its row.',
  },
  known: {
    ...{
      holds: 'always',
      reads: 'storage',
      cure: 'Look whether another database uses this bucket and prefix, or this one was restored from a backup. What this database deleted before is taken away again within a day.',
    },
    means: 'Storage holds no object of the library that has no row.',
  },
  'uploads-known': {
    ...{
      holds: 'always',
      reads: 'storage',
      cure: 'A worker aborts such uploads once a day: look whether one runs, and what its log says of the store.',
    },
    means: 'An upload in parts that is older than two days is that of an open session.',
  },
  bytes: {
    ...{ holds: 'always', reads: 'bytes', cure: restore },
    means: 'What storage gives has the hash that was recorded when the gate or the maker of a variant read it.',
  },
  quiet: {
    ...{ holds: 'quiet', reads: 'storage', cure: 'Look whether a worker runs, and what its log says of this row.' },
    means: 'Nothing is owed but what is watched, kept in quarantine, or the record of an upload that ended.',
  },
} as const satisfies Readonly<Record<string, Invariant>>

export type InvariantName = keyof typeof invariants

export type InvariantEntity = 'asset' | 'variant' | 'upload_session' | 'object' | 'attachment' | 'run'

/** What was found wrong, by those who look. Ids and states; of an object that has no row, where it lies. */
export interface InvariantBreach {
  readonly invariant: InvariantName
  readonly entity: InvariantEntity
  readonly id: string
  /** A sentence. */
  readonly found: string
  readonly object?: { readonly store: string; readonly key: string }
}

/** One breach, with where to find what it is about. Never an address or a name that people gave. */
export interface InvariantFinding extends Omit<InvariantBreach, 'object'> {
  /** What it belongs to; null for an object of the app's own, or where nobody knows any more. */
  readonly assetId: string | null
  /** What it is or points at. */
  readonly object: { readonly store: string; readonly key: string } | null
}

/** What was looked at so far: rows, objects in storage, keys that it listed, and bytes that were read back. */
export interface Looked {
  rows: number
  objects: number
  keys: number
  bytes: number
}

/** Where those who look for breaches write down what they find. */
export interface Inquiry {
  readonly signal: AbortSignal | undefined
  breach(breach: InvariantBreach): void
  looked(what: keyof Looked, count?: number): void
  /** What a store did not answer is no breach, and not well either. */
  leaveOut(store: string, err: unknown): void
  /** It answers: what it did not answer before was no silence. */
  hears(store: string): void
  /** Whether it failed so often in a row that it is asked no more. */
  isGivenUp(store: string): boolean
  /** So many more findings are wanted of it. */
  room(invariant: InvariantName): number
}
