import { type RawBuilder, sql } from 'kysely'
import { type Asset, assetMachine, type Owner } from '../../core/asset.ts'
import { isId } from '../../core/ids.ts'
import { objectMachine, type ObjectState } from '../../core/object.ts'
import { endedSessionSeconds, hostedWatchSeconds, secondsAfter, signedWatchSeconds, wakeUpSeconds } from '../../core/patience.ts'
import type { ObjectHead } from '../../core/ports/storage.ts'
import {
  openSessionStates,
  type UploadSession,
  type UploadSessionState,
  uploadSessionMachine,
  type UploadStrategy,
} from '../../core/upload-session.ts'
import type { Queryable } from '../database.ts'
import { also, born, isMissed, moved } from '../move.ts'
import { fixedMoves, type Recorder, shapedMoves } from '../statement.ts'
import { type AssetJson, assetColumns, assetOf, type ObjectJson, type SessionJson, sessionColumns, sessionOf } from './json-rows.ts'

/** Where the bytes of an upload lie, or will. */
export interface StagingObject {
  readonly id: string
  readonly store: string
  readonly key: string
}

/** The same as its row has it. */
export interface LandingObject extends StagingObject {
  /** What storage calls the upload that brings it in parts; null until that was begun. */
  readonly uploadId: string | null
}

/** A session with its asset, and with what the client may still write to. */
interface Upload {
  readonly session: UploadSession
  readonly asset: Asset
  readonly object: LandingObject | null
}

interface NewUpload {
  readonly sessionId: string
  readonly assetId: string
  readonly object: StagingObject
  readonly profile: string
  readonly owner: Owner | null
  readonly filename: string
  readonly contentType: string
  readonly byteSize: number | null
  /** Lower-case hex. */
  readonly sha256: string | null
  readonly idempotencyKey: string | null
  readonly strategy: Extract<UploadStrategy, 'presigned_put' | 'multipart' | 'proxied'>
  /** Null unless the file comes in parts. */
  readonly partBytes: number | null
  readonly dueAt: Date
  readonly expiresAt: Date
}

/** Writes session, asset and object of a new upload. @returns null when its idempotency key is taken; then nothing is written. */
export async function insertUpload(db: Queryable, ctx: Recorder, upload: NewUpload): Promise<UploadSession | null> {
  const { object, owner, ...values } = upload
  const { session } = await openedUpload(
    db,
    ctx,
    { ...values, ownerType: owner?.type ?? null, ownerId: owner?.id ?? null, objectId: object.id, store: object.store, key: object.key },
    { isReceived: upload.strategy === 'proxied', isOnce: upload.idempotencyKey !== null },
  )
  const row = session?.[0]
  return row ? sessionOf(row as unknown as SessionJson) : null
}

interface OpenedUpload extends Omit<NewUpload, 'object' | 'owner'> {
  readonly ownerType: string | null
  readonly ownerId: string | null
  readonly objectId: string
  readonly store: string
  readonly key: string
}

interface OpeningShape {
  /** The bytes come in through us at once. */
  readonly isReceived: boolean
  /** An idempotency key lets it happen once only. */
  readonly isOnce: boolean
}

const openedUpload = shapedMoves<OpenedUpload, OpeningShape>((upload, _, { isReceived, isOnce }) => {
  const { sessionId, assetId, objectId, profile, contentType } = upload
  const expect = isOnce ? sql`(select count(*) from "session")` : 1
  const from = sql`"session" s`
  const ownership = { owner_type: upload.ownerType, owner_id: upload.ownerId }
  const session = {
    ...{ id: sessionId, asset_id: assetId, profile, ...ownership, upload_strategy: upload.strategy, object_id: objectId },
    ...{ declared_bytes: upload.byteSize, declared_type: contentType, idempotency_key: upload.idempotencyKey },
    ...{ part_bytes: upload.partBytes, due_at: upload.dueAt, expires_at: upload.expiresAt },
  }
  const asset = {
    ...{ id: assetId, profile, ...ownership, filename: upload.filename, content_type: contentType, byte_size: upload.byteSize },
  }
  const staging = {
    id: objectId,
    asset_id: assetId,
    session_id: sessionId,
    store: upload.store,
    key: upload.key,
    content_type: contentType,
  }
  return [
    born('session', uploadSessionMachine, isReceived ? ['receive'] : [], {
      row: session,
      columns: { declared_sha256: sql`decode(${upload.sha256}::text, 'hex')` },
      ...(isOnce ? { conflict: { target: openKeys }, expect: null } : {}),
      returning: sessionColumns,
    }),
    born('asset', assetMachine, [], { row: asset, from, expect }),
    born('object', objectMachine, [], { row: staging, columns: { role: sql`'staging'` }, from, expect }),
  ]
})

/** The predicate of the partial index on idempotency keys, repeated as `on conflict` wants it. */
const openKeys = sql`(profile, owner_type, owner_id, idempotency_key) where idempotency_key is not null and state in (${sql.raw(
  [...openSessionStates, 'completed'].map((state) => `'${state}'`).join(', '),
)})`

/** The open or completed upload that an idempotency key stands for. */
export async function findUploadByKey(
  db: Queryable,
  key: { readonly profile: string; readonly owner: Owner; readonly idempotencyKey: string },
): Promise<Upload | null> {
  const { rows } = await sql<UploadJson>`
    ${uploadSelect}
     where s.profile = ${key.profile}::text and s.owner_type = ${key.owner.type}::text and s.owner_id = ${key.owner.id}::text
       and s.idempotency_key = ${key.idempotencyKey}::text
       and s.state = any(${[...openSessionStates, 'completed']}::text[])`.execute(db)
  return rows[0] ? uploadOf(rows[0]) : null
}

export async function findUpload(db: Queryable, sessionId: string): Promise<Upload | null> {
  if (!isId(sessionId)) return null
  const { rows } = await sql<UploadJson>`${uploadSelect} where s.id = ${sessionId}::uuid`.execute(db)
  return rows[0] ? uploadOf(rows[0]) : null
}

export async function findUploadSession(db: Queryable, sessionId: string): Promise<UploadSession | null> {
  if (!isId(sessionId)) return null
  const { rows } = await sql<{ session: SessionJson }>`
    select row_to_json(s) as session from rindle.media_upload_sessions s where s.id = ${sessionId}::uuid`.execute(db)
  return rows[0] ? sessionOf(rows[0].session) : null
}

interface UploadJson {
  readonly session: SessionJson
  readonly asset: AssetJson
  readonly object: ObjectJson | null
}

const uploadSelect = sql`
    select row_to_json(s) as session, row_to_json(a) as asset, row_to_json(o) as object
      from rindle.media_upload_sessions s
      join rindle.media_assets a on a.id = s.asset_id
      left join rindle.media_objects o on o.id = s.object_id`

const uploadOf = ({ session, asset, object }: UploadJson): Upload => ({
  session: sessionOf(session),
  asset: assetOf(asset),
  object: object && { id: object.id, store: object.store, key: object.key, uploadId: object.upload_id },
})

/**
 * Says that a ticket goes out for the session's object, and until when what it allows must be looked out for.
 *
 * @returns null when the session is no longer one that may be signed; then nothing is written.
 */
export async function signSession(
  db: Queryable,
  ctx: Recorder,
  {
    sessionId,
    ticketEnd,
    hostedStores,
  }: { readonly sessionId: string; readonly ticketEnd: Date; readonly hostedStores: readonly string[] },
): Promise<{ readonly session: UploadSession; readonly object: StagingObject } | null> {
  if (!isId(sessionId)) return null
  try {
    const { session, object } = await signed(db, ctx, { sessionId, ticketEnd, hostedStores })
    const [row, staging] = [session?.[0] as unknown as SessionJson, object?.[0] as unknown as ObjectJson]
    return { session: sessionOf(row), object: { id: staging.id, store: staging.store, key: staging.key } }
  } catch (err) {
    if (isMissed(err)) return null
    throw err
  }
}

const signed = fixedMoves<{ readonly sessionId: string; readonly ticketEnd: Date; readonly hostedStores: readonly string[] }>(
  ({ sessionId, ticketEnd, hostedStores }, at) => [
    also('asset', lockStaged(sessionId), { expect: 1 }),
    moved('session', uploadSessionMachine, ['sign'], {
      from: sql`"asset" a`,
      where: sql`t.id = ${sessionId}::uuid and t.asset_id = a.id and t.expires_at > ${at}::timestamptz and t.upload_strategy = 'presigned_put'`,
      returning: sessionColumns,
    }),
    moved('object', objectMachine, [], {
      set: {
        watch_until: watchedUntil(
          ticketEnd,
          sql`case when t.store = any(${hostedStores}::text[]) then ${hostedWatchSeconds}::int else ${signedWatchSeconds}::int end`,
        ),
      },
      from: sql`"session" s`,
      where: sql`t.id = s.object_id and t.state = 'reserved'`,
      returning: ['store', 'key'],
    }),
  ],
)

/**
 * Reads the staged asset of a session under a lock that keeps every other decision about the upload away. Writes no row. The session is
 * looked up by itself, because a plan made while few assets are staged would otherwise read all of them.
 */
export const lockStaged = (sessionId: unknown) => sql`
  select a.id, a.id as asset_id
    from rindle.media_assets a
   where a.id = (select s.asset_id from rindle.media_upload_sessions s where s.id = ${sessionId}::uuid) and a.state = 'staged'
     for no key update`

/** Until when the object `t` of the session `s` is looked out for, once a ticket of that end is out. */
export const watchedUntil = (ticketEnd: unknown, watchSeconds: RawBuilder<unknown>) =>
  sql`greatest(t.watch_until, least(${ticketEnd}::timestamptz, s.expires_at) + make_interval(secs => ${watchSeconds}))`

/** Prolongs the lease of a session whose bytes come in through us. @returns false when it was ended meanwhile. */
export async function renewSessionLease(db: Queryable, sessionId: string, until: Date): Promise<boolean> {
  const { rows } = await sql<{ id: string }>`
    update rindle.media_upload_sessions
       set due_at = ${until}::timestamptz
     where id = ${sessionId}::uuid and state = 'uploading'
    returning id`.execute(db)
  return rows.length === 1
}

/**
 * Makes the asset the owner of what has landed, and hands it to the worker.
 *
 * @throws RindleError `statement_missed` when session, asset or object are not as they were looked at; nothing was changed.
 */
export async function completeUpload(
  db: Queryable,
  ctx: Recorder,
  { session, object, head }: { readonly session: UploadSession; readonly object: StagingObject; readonly head: ObjectHead },
): Promise<Upload> {
  const at = ctx.clock.now()
  const written = await completed(
    db,
    ctx,
    {
      ...{ assetId: session.assetId, sessionId: session.id, state: session.state, objectId: object.id },
      ...{ byteSize: head.sizeBytes, etag: head.etag, version: head.version },
      ...{ dueAt: secondsAfter(at, wakeUpSeconds), endedAt: secondsAfter(at, endedSessionSeconds) },
    },
    { at, jobs: [{ name: 'promote_asset', id: session.assetId }] },
  )
  return {
    session: sessionOf(written['session']?.[0] as unknown as SessionJson),
    asset: assetOf(written['asset']?.[0] as unknown as AssetJson),
    object: null,
  }
}

interface Completed {
  readonly assetId: string
  readonly sessionId: string
  readonly state: UploadSessionState
  readonly objectId: string
  readonly byteSize: number
  readonly etag: string
  readonly version: string | null
  readonly dueAt: Date
  readonly endedAt: Date
}

/** The session's object is compared by `is not distinct from`, lest a plan takes the index on that column instead of the session's key. */
const completed = fixedMoves<Completed>(({ assetId, sessionId, state, objectId, byteSize, etag, version, dueAt, endedAt }, at) => [
  moved('asset', assetMachine, ['accept'], {
    set: { byte_size: byteSize, due_at: dueAt },
    where: sql`t.id = ${assetId}::uuid`,
    returning: assetColumns,
  }),
  moved('session', uploadSessionMachine, ['verify', 'complete'], {
    set: { object_id: null, verified_at: at, due_at: endedAt },
    from: sql`"asset" a`,
    where: sql`t.id = ${sessionId}::uuid and t.asset_id = a.id and t.object_id is not distinct from ${objectId}::uuid and t.state = ${state}::text`,
    returning: sessionColumns,
  }),
  moved('object', objectMachine, ['confirm'], {
    set: { byte_size: byteSize, etag, version },
    from: sql`"session" s`,
    where: sql`t.id = ${objectId}::uuid and t.session_id = s.id`,
  }),
])

/** What a hosted ticket is checked against: is the object still one that may be written, and the session one that is open? */
export async function findReceivable(
  db: Queryable,
  names: { readonly objectId: string; readonly sessionId: string | null },
): Promise<{ readonly objectState: ObjectState; readonly sessionState: UploadSessionState | null } | null> {
  const { rows } = await sql<{ object_state: ObjectState; session_state: UploadSessionState | null }>`
    select o.state as object_state, s.state as session_state
      from rindle.media_objects o
      left join rindle.media_upload_sessions s on s.id = o.session_id
     where o.id = ${names.objectId}::uuid and o.session_id is not distinct from ${names.sessionId}::uuid`.execute(db)
  const row = rows[0]
  return row ? { objectState: row.object_state, sessionState: row.session_state } : null
}
