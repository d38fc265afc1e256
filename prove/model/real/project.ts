import type { State, Time } from '../state.ts'
import { nameOf } from './bodies.ts'
import type { World } from './world.ts'

/** Which upload of the model an asset is, and which key an object has there. */
export interface Names {
  readonly assets: Map<string, number>
  /** By id of the object. */
  readonly objects: Map<string, string>
  /** By its key in the bucket. */
  readonly keys: Map<string, string>
  /** How many staging keys an upload had. */
  readonly staged: Map<number, number>
}

export const noNames = (): Names => ({ assets: new Map(), objects: new Map(), keys: new Map(), staged: new Map() })

export const ownerOfSlot = (slot: number): { readonly type: string; readonly id: string } => ({ type: 'page', id: String(slot) })

/** What is compared: a line for each row and each object. */
export type Lines = readonly string[]

const due = (column: string): string => `round(extract(epoch from ${column} - $1::timestamptz))::int`

/** One statement, so that nothing comes in between. */
const everyRow = `
  select 'asset' as entity, a.id::text as asset, a.state, a.fence, a.revision as number, ${due('a.due_at')} as due, null::int as other,
         a.object_id::text as object, a.passed_at is not null as flag, null as text, encode(o.sha256, 'hex') as digest, null::text as id, null::text as key
    from rindle.media_assets a left join rindle.media_objects o on o.id = a.object_id
  union all
  select 'session', asset_id::text, state, 0, 0, ${due('due_at')}, ${due('expires_at')}, object_id::text, false, null, null, null, null
    from rindle.media_upload_sessions
  union all
  select 'variant', asset_id::text, state, fence, 0, ${due('due_at')}, null, object_id::text, false, null, null, null, null from rindle.media_variants
  union all
  select 'run', asset_id::text, state, fence, (row_number() over (partition by asset_id order by started_at desc, id desc))::int, null, null, null,
         error_code is not null, job || ' ' || coalesce(error_code, ''), null, null, null
    from rindle.media_processing_runs
  union all
  select 'attachment', asset_id::text, standing, 0, owner_id::int, ${due('due_at')}, null, null, false, null, null, null, null from rindle.media_attachments
  union all
  select 'object', asset_id::text, state, fence, 0, ${due('due_at')}, ${due('watch_until')}, null, false, role, etag, id::text, key from rindle.media_objects
   order by entity, id, number`

/** What stands in database and bucket, in the words of the model. */
export const linesOfWorld = async ({ database, bucket }: World, names: Names, start: Date): Promise<Lines> => {
  const rows = await database.query(everyRow, [start])
  for (const row of rows) if (row['entity'] === 'object') learn(names, row)
  const lines = rows.map((row) => lineOf(names, row))
  for await (const { key } of bucket.adapter.list('')) {
    const head = await bucket.adapter.head(key)
    lines.push(`bytes at ${names.keys.get(key) ?? key}: ${nameOf(head?.etag ?? null)}`)
  }
  return lines.sort()
}

type Row = Readonly<Record<string, unknown>>

const learn = (names: Names, row: Row): void => {
  const [id, life] = [String(row['id']), names.assets.get(String(row['asset'])) ?? -1]
  if (names.objects.has(id)) return
  const role = String(row['text'])
  const count = (names.staged.get(life) ?? 0) + 1
  if (role === 'staging') names.staged.set(life, count)
  const name = role === 'staging' ? `s${life}.${count}` : `${role === 'original' ? 'o' : 'v'}${life}.${String(row['fence'])}`
  names.objects.set(id, name)
  names.keys.set(String(row['key']), name)
}

const lineOf = (names: Names, row: Row): string => {
  const { entity, state, fence, number, flag, text } = row
  const life = names.assets.get(String(row['asset'])) ?? -1
  const object = typeof row['object'] === 'string' ? (names.objects.get(row['object']) ?? row['object']) : null
  const digest = nameOf(typeof row['digest'] === 'string' ? row['digest'] : null)
  const [at, other] = [timeOf(row['due']), timeOf(row['other'])]
  if (entity === 'asset') return assetLine(life, [state, fence, number, at, object, flag, flag && object !== null ? digest : null])
  if (entity === 'session') return `session ${life}: ${[state, object, at, other].join()}`
  if (entity === 'variant') return `variant ${life}: ${[state, fence, at, object].join()}`
  if (entity === 'attachment') return `attachment of ${life} in ${String(number)}: ${[state, at].join()}`
  if (entity === 'object') return `object ${names.objects.get(String(row['id']))}: ${[state, fence, at, other, digest].join()}`
  const [job = '', code = ''] = String(text).split(' ')
  return runLine(life, Number(number), [
    job.startsWith('promote') ? 'promote' : 'build',
    fence,
    state,
    state === 'succeeded' && flag ? 'refused' : code,
  ])
}

const timeOf = (value: unknown): Time => (typeof value === 'number' ? value : null)
const assetLine = (life: number, values: readonly unknown[]): string => `asset ${life}: ${values.join()}`
const runLine = (life: number, place: number, values: readonly unknown[]): string => `run ${life}.${place}: ${values.join()}`

/** The same of the model. */
export const linesOfModel = (state: State): Lines => {
  const lines: string[] = []
  state.lives.forEach(({ asset, session, variant, runs }, life) => {
    if (asset) {
      const { fence, revision, object, passed, gated } = asset
      lines.push(assetLine(life, [asset.state, fence, revision, asset.due, object, passed, passed && object !== null ? gated : null]))
    }
    if (session) lines.push(`session ${life}: ${[session.state, session.object, session.due, session.expires].join()}`)
    if (variant) lines.push(`variant ${life}: ${[variant.state, variant.fence, variant.due, variant.object].join()}`)
    runs.forEach(({ job, fence, state: at, code }, place) => lines.push(runLine(life, place + 1, [job, fence, at, code ?? ''])))
  })
  for (const row of state.attachments) lines.push(`attachment of ${row.life} in ${row.slot}: ${[row.standing, row.due].join()}`)
  for (const { key, state: at, fence, due: when, watch, etag } of state.objects)
    lines.push(`object ${key}: ${[at, fence, when, watch, etag].join()}`)
  for (const [key, bytes] of Object.entries(state.bucket)) lines.push(`bytes at ${key}: ${bytes}`)
  return lines.sort()
}

/** What stands in one of the two alone. */
export const differences = (model: Lines, world: Lines): string[] => [
  ...model.filter((line) => !world.includes(line)).map((line) => `the model has  ${line}`),
  ...world.filter((line) => !model.includes(line)).map((line) => `the flows have ${line}`),
  ...(model.length === world.length ? [] : [`${model.length} lines in the model, ${world.length} in the flows`]),
]
