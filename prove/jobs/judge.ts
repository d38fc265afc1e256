import type { EngineDatabase } from '../../test/services/engines.ts'
import type { SimulatedProcess } from '../everything/simulated-process.ts'
import type { ProofContext } from '../harness.ts'
import type { File, Fleet } from './fleet.ts'

type Breach = (text: string, about?: string) => void

/** How a file is to end that passed the gate: the asset's state, and each variant's with the reason where it has one. */
const endOf = ({ medium, fate }: File): string => {
  if (medium === 'picture') return 'ready: large ready, thumb ready'
  const code = fate === 'broken' ? 'source_broken' : fate === 'dying' ? 'decoder_killed' : null
  const encoded = code === null ? 'ready' : `failed ${code}`
  return `${code === null ? 'ready' : 'degraded'}: peaks ${encoded}, poster ready, scrub_strip ${encoded}, web_720p ${encoded}`
}

const endsText = `
  select a.id, a.state || ': ' || coalesce((select string_agg(v.name || ' ' || v.state || coalesce(' ' || v.error_code, ''), ', ' order by v.name)
           from rindle.media_variants v where v.asset_id = a.id), '') as stands
    from rindle.media_assets a`

const endsOf = async (database: EngineDatabase): Promise<ReadonlyMap<string, string>> => {
  const rows = await database.query(endsText)
  return new Map(rows.map(({ id, stands }) => [String(id), String(stands)]))
}

/** Whoever lost five leases in a row is held back until somebody says otherwise: here somebody does. @returns for which assets. */
export const pardon = async ({ app }: SimulatedProcess, database: EngineDatabase): Promise<string[]> => {
  const by = { reason: 'it was the fleet', actor: 'an operator' }
  const held = await database.query(`select id from rindle.media_assets where state = 'quarantined' and error_code = 'worker_lost'`)
  for (const { id } of held) await app.releaseQuarantine(String(id), by)
  const lost = await database.query(
    `select distinct v.asset_id as id from rindle.media_variants v join rindle.media_assets a on a.id = v.asset_id
      where v.state = 'failed' and v.error_code = 'worker_lost' and a.state = 'degraded'`,
  )
  for (const { id } of lost) await app.requeueVariants(String(id), by)
  return [...held, ...lost].map(({ id }) => String(id))
}

/** Files that nothing holds back, and that are not where they are to end. */
export const unfinished = async (database: EngineDatabase, { files, refused }: Fleet): Promise<string[]> => {
  const ends = await endsOf(database)
  return [...files].flatMap(([id, file]) => {
    const stands = ends.get(id)
    const isOver = stands === undefined || stands.startsWith('deleted') || stands === endOf(file)
    return isOver || refused.has(id) || file.fate === 'deadly' ? [] : [id]
  })
}

export interface Trouble {
  readonly jobs: number
  readonly deliveries: number
  /** So many were never handed out. */
  readonly forgotten: number
  readonly emptied: number
  readonly zombies: number
}

/** What did not happen was not survived either, to films as to anything. Of a few jobs no worker may sleep over one, and none of films be lost. */
export const judgeTrouble = ({ amount, size }: ProofContext, all: Trouble, ofFilms: Trouble, breach: Breach): void => {
  if (all.jobs < amount) breach(`only ${all.jobs} jobs were asked for, not ${amount}`)
  if (all.emptied === 0) breach('the queue was never emptied while jobs were in it')
  if (ofFilms.jobs === 0) breach('no job of a film was asked for')
  for (const [what, { jobs, deliveries, forgotten, emptied, zombies }] of [['jobs', all] as const, ['jobs of films', ofFilms] as const]) {
    if (size === 'ci' && what !== 'jobs') continue
    if (deliveries < 2 * jobs) breach(`${jobs} ${what} were handed out only ${deliveries} times`)
    if (forgotten === 0) breach(`each of ${jobs} ${what} was handed out`)
    if (size === 'ci') continue
    if (emptied === 0) breach(`no ${what} were forgotten with the queue`)
    if (zombies === 0) breach(`no worker slept past its lease over ${what}`)
  }
}

/** Of what storage refuses nothing is served, nothing is lost, and somebody comes back to it. */
export const judgeRefused = async (database: EngineDatabase, { refused }: Fleet, breach: Breach): Promise<void> => {
  const rows = await database.query(
    `select id, state from rindle.media_assets where id = any($1) and (state not in ('validating', 'analyzing', 'deleted') or due_at is null)`,
    [[...refused]],
  )
  for (const { id, state } of rows) breach(`storage refuses asset ${String(id)}, which is ${String(state)}`, String(id))
}

/** Every file had one effect, and each of its variants one: it was made, or it was said once why it cannot be. */
export const judgeEffects = async (
  database: EngineDatabase,
  { files, purged, board }: Fleet,
  pardoned: ReadonlySet<string>,
  breach: Breach,
): Promise<void> => {
  for (const { id, entity, move, times } of await database.query(repeatedText, [[...pardoned]]))
    breach(`${String(entity)} of ${String(id)} made ${String(move)} ${String(times)} times`, String(id))
  for (const { id, deaths } of await database.query(deathsText))
    breach(`decoders died ${String(deaths)} times over all of the film ${String(id)}`, String(id))
  const admitted = await database.query(`select distinct asset_id from rindle.state_moves where entity = 'asset' and move = 'admit'`)
  const passed = new Set(admitted.map(({ asset_id }) => String(asset_id)))
  const ends = await endsOf(database)
  for (const [id, file] of files) {
    const stands = ends.get(id) ?? null
    const mayBeGone = purged.has(id) || board.attached.has(id)
    if (file.fate === 'deadly') {
      if (passed.has(id)) breach(`the deadly file ${id} passed the gate`, id)
    } else if (stands === null ? !mayBeGone : stands !== endOf(file)) breach(`file ${id} is ${stands ?? 'lost'}, not ${endOf(file)}`, id)
    else if (purged.has(id) && stands !== null) breach(`file ${id} was purged and is ${stands}`, id)
  }
}

/** Of one row, and so of one variant by one recipe: nobody changes recipes here. Who was pardoned may fail once more. */
const repeatedText = `
  select m.asset_id as id, m.entity, m.move, count(*)::int as times from rindle.state_moves m
   where (m.entity = 'asset' and m.move in ('accept', 'admit', 'doom')) or (m.entity = 'variant' and m.move = 'finish')
      or (m.entity = 'variant' and m.move = 'fail' and m.asset_id <> all($1::uuid[]))
   group by m.asset_id, m.entity, m.entity_id, m.move having count(*) > 1`

/** More often than twice nobody opens what decoders die of. */
const deathsText = `
  select r.asset_id as id, count(*)::int as deaths from rindle.media_processing_runs r
   where r.job = 'transcode_asset' and r.error_code = 'decoder_killed'
   group by r.asset_id having count(*) > 2`
