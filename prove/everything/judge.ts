import { type AssetState, assetMachine, deliverableStates } from '../../src/core/asset.ts'
import { objectMachine } from '../../src/core/object.ts'
import type { RindleContext } from '../../src/context.ts'
import { uploadSessionMachine } from '../../src/core/upload-session.ts'
import { assetStateOf, type OutputKind, variantMachine, type VariantState } from '../../src/core/variant.ts'
import { checkInvariants, type InvariantOptions } from '../../src/flows/ops/check-invariants.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { Board } from './people.ts'
import { type House, sha256Of } from './house.ts'

export interface Court {
  readonly database: EngineDatabase
  readonly house: House
  readonly breach: (text: string, assetId?: string) => void
}

const keysIn = async (house: House): Promise<Set<string>> => {
  const keys = new Set<string>()
  for (const { adapter } of Object.values(house.buckets)) for await (const { key } of adapter.list('')) keys.add(`${adapter.id} ${key}`)
  return keys
}

/** What holds at every instant, looked at while everybody is at it. */
export const judgeNow = async ({ database, house, breach }: Court): Promise<void> => {
  const before = await keysIn(house)
  const rows = await database.query(`select store || ' ' || key as place from rindle.media_objects`)
  const after = await keysIn(house)
  const known = new Set(rows.map(({ place }) => String(place)))
  for (const key of before) if (after.has(key) && !known.has(key)) breach(`${key} is in storage, and no row knows it`, key)
  const going = await database.query(
    `select t.asset_id from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id
      where t.standing <> 'released' and a.state = 'deleted'`,
  )
  for (const { asset_id } of going) breach(`asset ${String(asset_id)} is deleted while it is attached`, String(asset_id))
}

/** What operators can ask as well. */
export const judgeInvariants = async ({ breach }: Court, ctx: RindleContext, options: InvariantOptions): Promise<void> => {
  const { findings, cut, unanswered } = await checkInvariants(ctx, options)
  for (const finding of findings) breach(`an invariant is broken: ${JSON.stringify(finding)}`, finding.id)
  if (cut.length + unanswered.length > 0) breach(`not all was asked: ${JSON.stringify({ cut, unanswered })}`)
}

/** What holds when nothing is owed any more. */
export const judgeEnd = async (court: Court, board: Board): Promise<void> => {
  await judgeOwed(court)
  await judgeBytes(court)
  await judgeAssets(court, board)
  await judgeSlots(court)
  await judgeHistory(court)
}

const judgeOwed = async ({ database, breach }: Court): Promise<void> => {
  const owed = await database.query(
    `select 'asset ' || state as what, id as asset_id from rindle.media_assets where due_at is not null
     union all select 'variant ' || name || ' ' || state, asset_id from rindle.media_variants where due_at is not null
     union all select 'session ' || state, asset_id from rindle.media_upload_sessions where due_at is not null and state <> 'completed'
     union all select role || ' object ' || state, asset_id from rindle.media_objects where due_at is not null or state <> 'present'
     union all select standing || ' attachment', asset_id from rindle.media_attachments where due_at is not null or standing <> 'current'
     union all select 'run of ' || job, asset_id from rindle.media_processing_runs where state = 'processing'`,
  )
  for (const { what, asset_id } of owed)
    breach(`the end has come, and still owed is: ${String(what)} of ${String(asset_id)}`, String(asset_id))
}

const judgeBytes = async ({ database, house, breach }: Court): Promise<void> => {
  const rows = await database.query(
    `select o.store, o.key, o.asset_id, o.role, o.byte_size::int as bytes, encode(o.sha256, 'hex') as sha256,
            a.object_id = o.id or v.object_id = o.id as pointed
       from rindle.media_objects o
       left join rindle.media_assets a on a.id = o.asset_id
       left join rindle.media_variants v on v.id = o.variant_id
      where o.state = 'present'`,
  )
  const known = new Set(rows.map(({ store, key }) => `${String(store)} ${String(key)}`))
  for (const key of await keysIn(house)) if (!known.has(key)) breach(`${key} is left in storage, and no row knows it`, key)
  for (const { store, key, asset_id, role, bytes, sha256, pointed } of rows) {
    const bucket = Object.values(house.buckets).find(({ adapter }) => adapter.id === store)
    const found = await bucket?.adapter.read(String(key))
    const body = found ? new Uint8Array(await new Response(found.body).arrayBuffer()) : null
    const id = String(asset_id)
    if (!body) breach(`${String(key)} is present, and not there`, id)
    else if (body.byteLength !== bytes || (sha256 !== null && sha256Of(body) !== sha256))
      breach(`${String(key)} has not the bytes of its row`, id)
    else if (role === 'original' && !house.passed.has(sha256Of(body))) breach(`the gate never passed ${String(key)}`, id)
    if (pointed !== true) breach(`${String(key)} is present, and nothing points to it`, id)
  }
  for (const { adapter } of Object.values(house.buckets))
    for await (const { key } of adapter.multipart?.list('') ?? []) breach(`an upload in parts to ${key} is left`, key)
}

const judgeAssets = async ({ database, breach }: Court, board: Board): Promise<void> => {
  const rows = await database.query(
    `select a.id, a.state, a.object_id, a.passed_at, a.profile,
            coalesce((select jsonb_agg(jsonb_build_object('state', v.state, 'outputKind', v.output_kind, 'objectId', v.object_id))
               from rindle.media_variants v where v.asset_id = a.id), '[]') as variants,
            exists (select from rindle.media_attachments t where t.asset_id = a.id) as attached
       from rindle.media_assets a`,
  )
  const left = new Set<string>()
  for (const { id, state, object_id, passed_at, profile, variants, attached } of rows) {
    const asset = String(id)
    left.add(asset)
    if (!deliverableStates.includes(state as AssetState)) {
      if (state !== 'quarantined' || object_id !== null) breach(`asset ${asset} ends ${String(state)}`, asset)
      continue
    }
    const made = variants as { state: VariantState; outputKind: OutputKind; objectId: string | null }[]
    if (assetStateOf(made) !== state) breach(`asset ${asset} is ${String(state)}, its variants say ${assetStateOf(made)}`, asset)
    if (made.some((one) => one.state === 'ready' && one.objectId === null)) breach(`a ready variant of ${asset} has no object`, asset)
    if (object_id === null || passed_at === null) breach(`asset ${asset} is ${String(state)} without having passed`, asset)
    if (!attached && board.attached.has(asset)) breach(`asset ${asset} lost its slots and was not purged`, asset)
    if (!attached && profile === 'plain') breach(`asset ${asset} was never attached and was not purged`, asset)
  }
}

const judgeSlots = async ({ database, breach }: Court): Promise<void> => {
  const rows = await database.query(
    `select owner_type, owner_id, slot, count(*)::int as held, min(asset_id::text) as asset_id
       from rindle.media_attachments where not many and standing = 'current' group by 1, 2, 3 having count(*) > 1`,
  )
  for (const { owner_id, slot, held, asset_id } of rows)
    breach(`${String(slot)} of ${String(owner_id)} holds ${String(held)}`, String(asset_id))
  const hidden = await database.query(
    `select t.asset_id, a.state from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id
      where a.passed_at is null or a.state = 'deleted'`,
  )
  for (const { asset_id, state } of hidden) breach(`asset ${String(asset_id)} is attached and ${String(state)}`, String(asset_id))
}

interface Machine {
  readonly entity: string
  readonly states: Readonly<Record<string, unknown>>
  readonly moves: Readonly<Record<string, { readonly from: readonly string[]; readonly to: string }>>
}

/** Every step of every row was allowed, began where the one before ended, and was made once where once is all there may be. */
const judgeHistory = async ({ database, breach }: Court): Promise<void> => {
  const machines: readonly Machine[] = [assetMachine, variantMachine, uploadSessionMachine, objectMachine]
  const rows = await database.query(
    'select entity, entity_id, asset_id, move, from_state, to_state from rindle.state_moves order by xid, seq',
  )
  const last = new Map<string, string>()
  const verified = new Set<string>()
  for (const { entity, entity_id, asset_id, move, from_state, to_state } of rows) {
    const id = String(entity_id)
    const allowed = machines.find((one) => one.entity === entity)?.moves[String(move)]
    const story = `${String(entity)} ${id} made ${String(move)} from ${String(from_state)} to ${String(to_state)}`
    if (allowed && !(allowed.from.includes(String(from_state)) && (allowed.to === to_state || to_state === 'gone')))
      breach(`${story}, which nothing allows`, String(asset_id))
    if (from_state !== null && last.has(id) && last.get(id) !== from_state) breach(`${story}, and was ${last.get(id)}`, String(asset_id))
    last.set(id, String(to_state))
    if (entity === 'upload_session' && move === 'verify') {
      if (verified.has(id)) breach(`session ${id} was verified twice`, String(asset_id))
      verified.add(id)
    }
  }
}

/** All that is known of an asset, for whoever has to find out what went wrong. */
export const storyOf = async ({ database }: Pick<Court, 'database'>, about: string): Promise<string> => {
  const asset = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(about)?.[0]
  if (!asset) return about
  const [found] = await database.query(
    `select id from rindle.media_assets where id = $1
     union select asset_id from rindle.media_upload_sessions where id = $1
     union select asset_id from rindle.state_moves where entity_id = $1`,
    [asset],
  )
  const id = String(found?.['id'] ?? asset)
  const lines: string[] = [`  story of asset ${id}`]
  const tell = async (title: string, text: string): Promise<void> => {
    for (const { line } of await database.query(text, [id])) lines.push(`    ${title} ${String(line)}`)
  }
  const rest = `array_to_string(array[extract(epoch from at - timestamptz '2026-01-01 12:00Z')::numeric(12, 1)::text || ' s', entity, right(entity_id::text, 6),
    move, from_state, '→', to_state, reason, 'xid ' || xid::text], ' ')`
  await tell('moved', `select ${rest} as line from rindle.state_moves where asset_id = $1 order by xid, seq`)
  await tell('row', `select to_jsonb(a)::text as line from rindle.media_assets a where id = $1`)
  await tell('session', `select to_jsonb(s)::text as line from rindle.media_upload_sessions s where asset_id = $1`)
  await tell('variant', `select to_jsonb(v)::text as line from rindle.media_variants v where asset_id = $1`)
  await tell('object', `select to_jsonb(o)::text as line from rindle.media_objects o where asset_id = $1 order by id`)
  await tell('attachment', `select to_jsonb(t)::text as line from rindle.media_attachments t where asset_id = $1`)
  await tell('run', `select to_jsonb(r)::text as line from rindle.media_processing_runs r where asset_id = $1 order by id`)
  return lines.join('\n')
}
