import pg from 'pg'
import { createBoss } from '../../src/adapters/queue/boss.ts'
import { createQueue } from '../../src/adapters/queue/pg-boss.ts'
import { timeOrderedIds } from '../../src/core/ids.ts'
import { sealedKey, stagingKey, variantKey } from '../../src/core/object-key.ts'
import { hostedWatchSeconds, endedSessionSeconds, secondsAfter, wakeUpSeconds } from '../../src/core/patience.ts'
import type { MadeVariant } from '../../src/core/ports/jail.ts'
import type { JobRequest } from '../../src/core/ports/queue.ts'
import { maxPutTicketSeconds } from '../../src/core/ticket.ts'
import { planVariants } from '../../src/core/variant-plan.ts'
import { openDatabase } from '../../src/database/open.ts'
import type { LifecycleSide } from './ours.ts'
import { type TicketFor, touchesOf } from './touches.ts'
import { clients, facts, figures, instantJail, photo, photoProfile, send, storage } from './workload.ts'

type Row = Readonly<Record<string, unknown>>
type Made = MadeVariant & { readonly ok: true }

/** What runs inside one transaction: statements, and what a step of a lifecycle does with nearly every one of them. */
interface Work {
  readonly at: Date
  /** One statement, unprepared. */
  run(text: string, values: readonly unknown[]): Promise<readonly Row[]>
  /** One statement that must touch one row, as it was looked at. */
  change(text: string, values: readonly unknown[]): Promise<Row>
  history(entity: string, id: string, assetId: string, move: string, from: string | null, to: string): Promise<void>
  /** The queue's own send, in this transaction. */
  enqueue(job: JobRequest): Promise<void>
}

const leaseSeconds = 30

/**
 * The same life written the usual way: in each of the same transactions one statement for each row that changes, with the same guards,
 * looks and answers, by text that is not prepared. Jobs by pg-boss's own send; workers are notified after the commit, as ours does.
 */
export async function openReference(url: string, variants: readonly Made[], scratchFolder: string): Promise<LifecycleSide> {
  const pool = new pg.Pool({ connectionString: url, max: clients })
  const db = openDatabase(pool)
  const queue = createQueue({ database: db })
  const boss = createBoss({ executeSql: (text, values) => pool.query(text, values) })
  await boss.start()
  const stop = await queue.listen(() => {})
  const store = storage()
  const touches = touchesOf(store, instantJail(variants), scratchFolder)
  const wanted = planVariants(photoProfile(store), { kind: 'image', hasVideoTrack: false, hasAudioTrack: false }).map((one) => ({
    ...one,
    made: variants.find(({ name }) => name === one.name)!,
  }))

  const transaction = async <T>(body: (work: Work) => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    const sent: JobRequest[] = []
    const at = new Date()
    const run: Work['run'] = async (text, values) => (await client.query(text, [...values])).rows
    const work: Work = {
      at,
      run,
      async change(text, values) {
        const rows = await run(text, values)
        if (rows.length !== 1 || !rows[0]) throw new Error(`it is no longer as it was looked at: ${text}`)
        return rows[0]
      },
      async history(entity, id, assetId, move, from, to) {
        await client.query(insertMove, [at, entity, id, assetId, move, from, to])
      },
      async enqueue({ name, id }) {
        await boss.send(name, { job: name, id }, { db: { executeSql: (text, values) => client.query(text, values) } })
        sent.push({ name, id })
      },
    }
    try {
      await client.query('begin')
      const result = await body(work)
      await client.query('commit')
      if (sent.length > 0) queue.notify(sent)
      return result
    } catch (err) {
      await client.query('rollback')
      throw err
    } finally {
      client.release()
    }
  }

  return {
    async lifecycle(number) {
      const upload = { sessionId: timeOrderedIds.next(), assetId: timeOrderedIds.next(), stagingId: timeOrderedIds.next() }
      await transaction((work) => initiate(work, upload))
      const ticket = await transaction((work) => sign(work, upload))
      touches.ticket(ticket)
      await send(store, ticket.key)
      const { rows: looked } = await pool.query(lookAtUpload, [upload.sessionId])
      const staged = { store: String(looked[0]?.store), key: String(looked[0]?.key) }
      const etag = await touches.verify(staged)
      if (looked[0]?.state !== 'signed' || etag === null) throw new Error('nothing can be verified')
      await transaction((work) => verify(work, upload, etag))
      const names = wanted.map(({ name }) => name)
      const claim = await transaction((work) => claimForGate(work, upload.assetId, names))
      const plan = wanted.map((one): Planned => {
        const objectId = timeOrderedIds.next()
        return { ...one, id: timeOrderedIds.next(), objectId, key: variantKey(upload.assetId, one.name, objectId, one.made.extension) }
      })
      let revision: unknown
      await touches.gate({ staged: { ...staged, etag }, sealed: { store: staged.store, key: claim.sealedKey } }, async (sha256) => {
        revision = await transaction((work) => admit(work, upload, claim, plan, sha256))
        return plan.map(({ id, name, digest, objectId, key, made }) => ({
          id,
          fence: 0,
          name,
          digest,
          object: { id: objectId, key },
          made,
          faults: 0,
        }))
      })
      await transaction((work) => settle(work, upload.assetId, revision, claim, plan))
      await transaction((work) => attach(work, upload.assetId, number))
    },
    async close() {
      await stop?.()
      await queue.close()
      await boss.stop({ graceful: false })
      await db.close()
      await pool.end()
    },
  }
}

interface Upload {
  readonly sessionId: string
  readonly assetId: string
  readonly stagingId: string
}

interface Claim {
  readonly fence: unknown
  readonly revision: unknown
  readonly sealedId: string
  readonly sealedKey: string
  readonly sourceId: unknown
  readonly runId: string
}

interface Planned {
  readonly id: string
  readonly name: string
  readonly outputKind: string
  readonly digest: string
  readonly objectId: string
  readonly key: string
  readonly made: Made
}

const storeId = storage().id

const insertMove = `insert into rindle.state_moves (at, entity, entity_id, asset_id, move, from_state, to_state) values ($1, $2, $3, $4, $5, $6, $7)`

const lookAtUpload = `
  select s.state, s.object_id, s.expires_at, s.declared_bytes, s.declared_type, o.store, o.key, a.state as asset_state
    from rindle.media_upload_sessions s
    join rindle.media_assets a on a.id = s.asset_id
    left join rindle.media_objects o on o.id = s.object_id
   where s.id = $1`

/** Two tables point to each other, so the session's pointer takes an update of its own. */
async function initiate({ at, run, change, history }: Work, { sessionId, assetId, stagingId }: Upload): Promise<void> {
  const { uploader, filename, contentType, bytes, profile } = photo
  const expiresAt = secondsAfter(at, 86_400)
  await run(
    `insert into rindle.media_assets (id, profile, state, owner_type, owner_id, filename, content_type, byte_size, inserted_at, state_changed_at)
     values ($1, $2, 'staged', $3, $4, $5, $6, $7, $8, $8)`,
    [assetId, profile, uploader.type, uploader.id, filename, contentType, bytes.byteLength, at],
  )
  await run(
    `insert into rindle.media_upload_sessions
       (id, asset_id, profile, owner_type, owner_id, state, upload_strategy, declared_bytes, declared_type, due_at, expires_at, inserted_at, state_changed_at)
     values ($1, $2, $3, $4, $5, 'initialized', 'presigned_put', $6, $7, $8, $8, $9, $9)`,
    [sessionId, assetId, profile, uploader.type, uploader.id, bytes.byteLength, contentType, expiresAt, at],
  )
  await run(
    `insert into rindle.media_objects (id, asset_id, session_id, role, store, key, content_type, state, inserted_at, state_changed_at)
     values ($1, $2, $3, 'staging', $4, $5, $6, 'reserved', $7, $7)`,
    [stagingId, assetId, sessionId, storeId, stagingKey(sessionId, stagingId), contentType, at],
  )
  await change(`update rindle.media_upload_sessions set object_id = $2 where id = $1 returning *`, [sessionId, stagingId])
  await history('upload_session', sessionId, assetId, 'born', null, 'initialized')
  await history('asset', assetId, assetId, 'born', null, 'staged')
  await history('object', stagingId, assetId, 'born', null, 'reserved')
}

async function sign({ at, change, history }: Work, { sessionId, assetId }: Upload): Promise<TicketFor> {
  await change(
    `select a.id from rindle.media_assets a join rindle.media_upload_sessions s on s.asset_id = a.id
      where s.id = $1 and a.state = 'staged' for no key update of a`,
    [sessionId],
  )
  const session = await change(
    `update rindle.media_upload_sessions set state = 'signed', previous_state = state, state_changed_at = $2
      where id = $1 and state in ('initialized', 'signed') and expires_at > $2 and upload_strategy = 'presigned_put'
     returning *`,
    [sessionId, at],
  )
  const { store, key } = await change(
    `update rindle.media_objects set watch_until = greatest(watch_until, $2) where id = $1 and state = 'reserved' returning store, key`,
    [session['object_id'], secondsAfter(at, maxPutTicketSeconds + hostedWatchSeconds)],
  )
  await history('upload_session', sessionId, assetId, 'sign', 'initialized', 'signed')
  const names = { store: String(store), key: String(key), objectId: String(session['object_id']), sessionId }
  return { ...names, issuedAt: at, expiresAt: secondsAfter(at, maxPutTicketSeconds) }
}

async function verify({ at, change, history, enqueue }: Work, { sessionId, assetId, stagingId }: Upload, etag: string): Promise<void> {
  await change(
    `update rindle.media_assets
        set state = 'validating', previous_state = state, state_changed_at = $2, revision = revision + 1, byte_size = $3, due_at = $4
      where id = $1 and state = 'staged' returning *`,
    [assetId, at, photo.bytes.byteLength, secondsAfter(at, wakeUpSeconds)],
  )
  await change(
    `update rindle.media_upload_sessions
        set state = 'completed', previous_state = state, state_changed_at = $2, object_id = null, verified_at = $2, due_at = $3
      where id = $1 and state = 'signed' and object_id = $4 returning *`,
    [sessionId, at, secondsAfter(at, endedSessionSeconds), stagingId],
  )
  await change(
    `update rindle.media_objects set state = 'present', previous_state = state, state_changed_at = $2, byte_size = $3, etag = $4
      where id = $1 and state = 'reserved' and session_id = $5 returning id`,
    [stagingId, at, photo.bytes.byteLength, etag, sessionId],
  )
  await enqueue({ name: 'promote_asset', id: assetId })
  await history('asset', assetId, assetId, 'accept', 'staged', 'validating')
  await history('upload_session', sessionId, assetId, 'verify', 'signed', 'verifying')
  await history('upload_session', sessionId, assetId, 'complete', 'verifying', 'completed')
  await history('object', stagingId, assetId, 'confirm', 'reserved', 'present')
}

async function claimForGate({ at, run, change, history }: Work, assetId: string, variantNames: readonly string[]): Promise<Claim> {
  const [sealedId, runId] = [timeOrderedIds.next(), timeOrderedIds.next()]
  const key = sealedKey(assetId, sealedId, 'jpg')
  const { fence, revision, content_type, object_id } = await change(
    `update rindle.media_assets
        set state = 'analyzing', previous_state = state, state_changed_at = $2, revision = revision + 1, fence = fence + 1, due_at = $3
      where id = $1 and profile = any($4) and (state = 'validating' or (state = 'analyzing' and due_at <= $2))
     returning *`,
    [assetId, at, secondsAfter(at, leaseSeconds), [photo.profile]],
  )
  await run(`select declared_sha256 from rindle.media_upload_sessions where asset_id = $1 and state = 'completed'`, [assetId])
  await run(`select id from rindle.media_variants where asset_id = $1 limit 1`, [assetId])
  await run(attachmentsWait, [assetId])
  await run(`select id from rindle.media_objects where asset_id = $1 and role = 'original' and state = 'reserved' and fence < $2`, [
    assetId,
    fence,
  ])
  const source = await change(
    `select id, store, key, etag from rindle.media_objects
      where asset_id = $1 and state = 'present' and (id = $2 or ($2 is null and role = 'staging')) limit 1`,
    [assetId, object_id],
  )
  await run(
    `insert into rindle.media_objects (id, asset_id, role, store, key, content_type, fence, state, inserted_at, state_changed_at)
     values ($1, $2, 'original', $3, $4, $5, $6, 'reserved', $7, $7)`,
    [sealedId, assetId, source['store'], key, content_type, fence, at],
  )
  const past = await run(
    `select id, state, error_code, fence from rindle.media_processing_runs where asset_id = $1 and job = 'promote_asset' order by fence desc limit 24`,
    [assetId],
  )
  await run(
    `insert into rindle.media_processing_runs (id, asset_id, job, variant_names, attempt, fence, worker, state, started_at, state_changed_at)
     values ($1, $2, 'promote_asset', $3, $4, $5, 'worker', 'processing', $6, $6)`,
    [runId, assetId, variantNames, past.length + 1, fence, at],
  )
  await history('asset', assetId, assetId, 'analyze', 'validating', 'analyzing')
  await history('object', sealedId, assetId, 'born', null, 'reserved')
  await history('run', runId, assetId, 'born', null, 'processing')
  return { fence, revision, sealedId, sealedKey: key, sourceId: source['id'], runId }
}

async function admit(
  { at, run, change, history, enqueue }: Work,
  { assetId }: Upload,
  claim: Claim,
  plan: readonly Planned[],
  sha256: string,
): Promise<unknown> {
  const { revision } = await change(
    `update rindle.media_assets
        set state = 'processing', previous_state = state, state_changed_at = $2, revision = revision + 1, object_id = $3, byte_size = $4,
            received_sha256 = $5, content_type = $6, kind = $7, width = $8, height = $9, placeholder = $10, dominant_color = $11,
            metadata = (metadata - 'refused') || $12::jsonb, error_code = null, error_detail = null, passed_at = $2, due_at = $13
      where id = $1 and state = 'analyzing' and fence = $14 and revision = $15 and due_at > $2 returning revision`,
    [
      ...[assetId, at, claim.sealedId, photo.bytes.byteLength, Buffer.from(sha256, 'hex'), facts.contentType, facts.kind],
      ...[facts.width, facts.height, facts.placeholder, facts.dominantColor, { frames: facts.frames, hasAlpha: facts.hasAlpha }],
      ...[null, claim.fence, claim.revision],
    ],
  )
  const held: unknown[] = []
  for (const { id, name, outputKind, digest } of plan) {
    const { fence } = await change(
      `insert into rindle.media_variants as t (id, asset_id, name, output_kind, state, recipe_digest, due_at, progress, inserted_at, state_changed_at)
       values ($1, $2, $3, $4, 'processing', $5, $6, 50, $7, $7)
       on conflict (asset_id, name) do update
         set state = 'processing', previous_state = t.state, state_changed_at = excluded.state_changed_at, fence = t.fence + 1, due_at = excluded.due_at,
             recipe_digest = excluded.recipe_digest, output_kind = excluded.output_kind, progress = excluded.progress, error_code = null, error_detail = null
       returning id, fence`,
      [id, assetId, name, outputKind, Buffer.from(digest, 'hex'), secondsAfter(at, leaseSeconds), at],
    )
    held.push(fence)
  }
  await change(
    `update rindle.media_objects
        set state = 'present', previous_state = state, state_changed_at = $2, byte_size = $3, content_type = $4, sha256 = $5, etag = $6
      where id = $1 and state = 'reserved' and fence = $7 returning id`,
    [claim.sealedId, at, photo.bytes.byteLength, facts.contentType, Buffer.from(sha256, 'hex'), 'memory-2', claim.fence],
  )
  await change(
    `update rindle.media_objects set state = 'doomed', previous_state = state, state_changed_at = $2, due_at = $4
      where asset_id = $1 and role in ('staging', 'original') and state in ('reserved', 'present') and id <> $3 returning id`,
    [assetId, at, claim.sealedId, secondsAfter(at, wakeUpSeconds)],
  )
  for (const [place, { id, objectId, key, digest, made }] of plan.entries()) {
    await run(
      `insert into rindle.media_objects (id, asset_id, variant_id, role, store, key, content_type, fence, recipe_digest, state, inserted_at, state_changed_at)
       values ($1, $2, $3, 'variant', $4, $5, $6, $7, $8, 'reserved', $9, $9)`,
      [objectId, assetId, id, storeId, key, made.contentType, held[place], Buffer.from(digest, 'hex'), at],
    )
  }
  await enqueue({ name: 'delete_object', id: String(claim.sourceId) })
  await history('asset', assetId, assetId, 'promote', 'analyzing', 'promoting')
  await history('asset', assetId, assetId, 'admit', 'promoting', 'available')
  await history('asset', assetId, assetId, 'process', 'available', 'processing')
  for (const { id } of plan) {
    await history('variant', id, assetId, 'born', null, 'planned')
    await history('variant', id, assetId, 'enqueue', 'planned', 'queued')
    await history('variant', id, assetId, 'start', 'queued', 'processing')
  }
  await history('object', claim.sealedId, assetId, 'confirm', 'reserved', 'present')
  await history('object', String(claim.sourceId), assetId, 'doom', 'present', 'doomed')
  for (const { objectId } of plan) await history('object', objectId, assetId, 'born', null, 'reserved')
  return revision
}

async function settle(
  { at, run, change, history }: Work,
  assetId: string,
  revision: unknown,
  { runId }: Claim,
  plan: readonly Planned[],
): Promise<void> {
  await change(
    `update rindle.media_assets set state = 'ready', previous_state = state, state_changed_at = $2, revision = revision + 1
      where id = $1 and state = 'processing' and revision = $3 returning id`,
    [assetId, at, revision],
  )
  await run(attachmentsWait, [assetId])
  for (const { id, objectId, digest, made } of plan) {
    await change(
      `update rindle.media_variants
          set state = 'ready', previous_state = state, state_changed_at = $2, due_at = null, object_id = $3, content_type = $4, byte_size = $5,
              width = $6, height = $7, progress = 100, error_code = null, error_detail = null
        where id = $1 and state = 'processing' and fence = $8 and recipe_digest = $9 returning id`,
      [id, at, objectId, made.contentType, made.byteSize, made.width, made.height, 0, Buffer.from(digest, 'hex')],
    )
  }
  for (const { id, objectId, made } of plan) {
    await change(
      `update rindle.media_objects
          set state = 'present', previous_state = state, state_changed_at = $2, etag = $3, byte_size = $4, content_type = $5, sha256 = $6
        where id = $1 and state = 'reserved' and variant_id = $7 and fence = $8 returning id`,
      [objectId, at, 'memory-3', made.byteSize, made.contentType, Buffer.from(made.sha256, 'hex'), id, 0],
    )
  }
  await change(
    `update rindle.media_processing_runs
        set state = 'succeeded', previous_state = state, state_changed_at = $2, finished_at = $2, figures = figures || $3::jsonb
      where id = $1 and state = 'processing' returning id`,
    [runId, at, figures],
  )
  await history('asset', assetId, assetId, 'finish', 'processing', 'ready')
  for (const { id } of plan) await history('variant', id, assetId, 'finish', 'processing', 'ready')
  for (const { objectId } of plan) await history('object', objectId, assetId, 'confirm', 'reserved', 'present')
  await history('run', runId, assetId, 'succeed', 'processing', 'succeeded')
}

async function attach({ at, run, change, history }: Work, assetId: string, owner: number): Promise<void> {
  const id = timeOrderedIds.next()
  await run(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [
    JSON.stringify(['rindle', photo.ownerType, String(owner), photo.slot]),
  ])
  await change(`select * from rindle.media_assets where id = $1 for key share`, [assetId])
  await run(`select * from rindle.media_variants where asset_id = $1 order by name`, [assetId])
  await run(
    `select id, asset_id, standing from rindle.media_attachments
      where owner_type = $1 and owner_id = $2 and slot = $3 and standing <> 'released' order by id for update`,
    [photo.ownerType, String(owner), photo.slot],
  )
  await run(
    `insert into rindle.media_attachments (id, owner_type, owner_id, slot, many, asset_id, standing, inserted_at)
     values ($1, $2, $3, $4, false, $5, 'current', $6)`,
    [id, photo.ownerType, String(owner), photo.slot, assetId, at],
  )
  await history('attachment', id, assetId, 'attach', null, 'current')
}

const attachmentsWait = `select id from rindle.media_attachments where asset_id = $1 and standing <> 'released' and due_at is not null limit 1`
