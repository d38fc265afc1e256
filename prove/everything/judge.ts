import type { MemoryBucket } from '../../src/testing/memory-bucket.ts'
import type { RindleContext } from '../../src/context.ts'
import { judgeQuiet, judgeStores } from '../judge/end.ts'
import type { Witness } from '../judge.ts'
import type { WitnessOptions } from '../judge/witness-options.ts'

export interface Judged extends WitnessOptions {
  readonly buckets: readonly MemoryBucket[]
}

const keysIn = async (buckets: readonly MemoryBucket[]): Promise<Set<string>> => {
  const keys = new Set<string>()
  for (const { adapter } of buckets) for await (const { key } of adapter.list('')) keys.add(`${adapter.id} ${key}`)
  return keys
}

/** Nothing lies in storage, at any instant, that no row knows: looked at while everybody is at it, beside what the witness sees of each call. */
export const judgeNow = async ({ query, buckets, breach }: Judged): Promise<void> => {
  const before = await keysIn(buckets)
  const rows = await query(`select store || ' ' || key as place from rindle.media_objects`)
  const after = await keysIn(buckets)
  const known = new Set(rows.map(({ place }) => String(place)))
  for (const key of before) if (after.has(key) && !known.has(key)) breach(`${key} is in storage, and no row knows it`)
}

interface Known {
  readonly witness: Witness
  /** Assets that, as people know, somebody attached once. */
  readonly attached: ReadonlySet<string>
}

/** What holds when nothing is owed any more. */
export const judgeAll = async (ctx: RindleContext, judged: Judged, { witness, attached }: Known): Promise<void> => {
  const remains = { ...judged, stores: judged.buckets.map(({ adapter }) => adapter) }
  await judgeStores(remains)
  await judgeAssets(judged, attached)
  await witness.check()
  await judgeQuiet(ctx, remains)
}

/** No asset is left that nothing holds, where one did once or where its profile says how long it may wait for that. */
const judgeAssets = async ({ query, breach }: Judged, attached: ReadonlySet<string>): Promise<void> => {
  for (const { id, state, what } of await query(leftText, [[...attached]]))
    breach(`asset ${String(id)} is ${String(state)}: ${String(what)}`)
}

const leftText = `
  select * from (
    select a.id, a.state, case
        when t.id is not null and a.passed_at is null then 'it is attached and never passed the gate'
        when t.id is null and a.passed_at is not null and a.id = any($1::uuid[]) then 'it lost its slots and was not purged'
        when t.id is null and a.passed_at is not null and a.profile = 'plain' then 'it was never attached and was not purged' end as what
      from rindle.media_assets a
      left join rindle.media_attachments t on t.asset_id = a.id) left_over
   where what is not null`
