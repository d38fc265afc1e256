import { readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { silentLogger as silent } from '../../src/adapters/telemetry/logger.ts'
import type { Query } from '../judge/witness-options.ts'
import { judgeInvariants, judgeQuiet, judgeStores } from '../judge/end.ts'
import { openCrashApp } from './app.ts'
import type { Ground } from './ground.ts'
import { type Blows, isTrulyLost, lostOf } from './lost.ts'

export interface Witness {
  /** Rows that the app was told about. */
  readonly acknowledged: ReadonlySet<string>
  readonly blows: Blows
  breach(text: string): void
}

/** What must be so when the last one has died, before anything is forgotten: what was acknowledged is there, and no file is blamed for more than was. */
export const judgeDusk = async (ground: Ground, { acknowledged, blows, breach }: Witness): Promise<void> => {
  const forgotten = await ground.database.query(unknownOf, [[...acknowledged]])
  for (const { id } of forgotten) breach(`${String(id)} was acknowledged, and there is no trace of it`)
  await judgeLost(ground, { blows, breach })
  await withContext(ground, (ctx) => judgeInvariants(ctx, breach, { storage: false, overdueSeconds: daySeconds }))
}

/** Only a file over which so many workers did die is held back for it. */
const judgeLost = async ({ database }: Ground, { blows, breach }: Pick<Witness, 'blows' | 'breach'>): Promise<number> => {
  const lost = await lostOf(database.query, null)
  for (const { id, runs } of lost.filter((one) => !isTrulyLost(one, blows)))
    breach(`${id} is held back for workers that were lost over it, but too few of them died: ${JSON.stringify(runs)}`)
  return lost.length
}

/** What must be so when everything has come to rest. @returns how many files are held back for workers that were lost over them. */
export const judgeRest = async (ground: Ground, { blows, breach }: Pick<Witness, 'blows' | 'breach'>): Promise<number> => {
  const { database, adapter, task } = ground
  const remains = { query: database.query, stores: [adapter], breach }
  await judgeStores(remains)
  await withContext(ground, (ctx) => judgeQuiet(ctx, remains))
  for (const { what, id } of await database.query(unfinished)) breach(`${String(what)} ${String(id)} when nothing is owed any more`)
  if (task.store.kind === 'local') await judgeFolders(database.query, task.store.directory, breach)
  return judgeLost(ground, { blows, breach })
}

/** What a PUT that was killed has left lies beside an object of that place, or nowhere. */
const judgeFolders = async (query: Query, directory: string, breach: (text: string) => void): Promise<void> => {
  const rows = await query('select key from rindle.media_objects')
  const places = new Set(rows.map(({ key }) => dirname(String(key))))
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = relative(directory, join(entry.parentPath, entry.name))
    const isKnown = [dirname(path), dirname(dirname(path))].some((place) => places.has(place)) || path.startsWith(strangers)
    if (entry.isFile() && !isKnown) breach(`${path} lies in the store and belongs to nothing`)
  }
}

/** Workers that die every other second come to little; what is due is done in the night. */
const daySeconds = 30 * 86_400

/** Where scenarios put what nobody of ours knows. */
const strangers = 'unmanaged/strange'

const withContext = async (ground: Ground, run: (ctx: RindleContext) => Promise<void>): Promise<void> => {
  const rindle = openCrashApp(ground.task, ground.time, null, silent)
  try {
    await rindle.ready()
    await run(contextOf(rindle))
  } finally {
    await rindle.close()
  }
}

/** Every row leaves its birth in the history, which is longer than a day. */
const unknownOf = `select k.id from unnest($1::uuid[]) as k (id)
  where not exists (select from rindle.state_moves m where m.entity_id = k.id)`

/** Whoever was killed over it: what a playing left behind is in the end as if it had been given up, or finished. */
const unfinished = `
  select 'an asset is ' || state as what, id from rindle.media_assets
   where state not in ('available', 'ready', 'degraded', 'quarantined')
  union all
  select 'a variant is ' || state, id from rindle.media_variants where state not in ('ready', 'failed', 'cancelled', 'missing', 'purged')
  union all
  select 'an upload is ' || state, id from rindle.media_upload_sessions where state not in ('completed', 'aborted', 'expired')
  union all
  select 'an object is ' || state, id from rindle.media_objects where state <> 'present'
  union all
  select 'a run is ' || state, id from rindle.media_processing_runs where state = 'processing'`
