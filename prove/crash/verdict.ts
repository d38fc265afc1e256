import { contextOf, type RindleContext } from '../../src/context.ts'
import { silentLogger as silent } from '../../src/adapters/telemetry/logger.ts'
import { judgeInvariants, judgeQuiet, judgeStores } from '../judge/end.ts'
import { openCrashApp } from './app.ts'
import type { Ground } from './ground.ts'
import { isTrulyLost, lostOf } from './lost.ts'

export interface Witness {
  /** Rows that the app was told about. */
  readonly acknowledged: ReadonlySet<string>
  /** Workers that died, by their process ids. */
  readonly dead: ReadonlySet<number>
  breach(text: string): void
}

/** What must be so when the last one has died, before anything is forgotten: what was acknowledged is there, and no file is blamed for more than was. */
export const judgeDusk = async (ground: Ground, { acknowledged, dead, breach }: Witness): Promise<readonly string[]> => {
  const forgotten = await ground.database.query(unknownOf, [[...acknowledged]])
  for (const { id } of forgotten) breach(`${String(id)} was acknowledged, and there is no trace of it`)
  const lost = await lostOf(ground.database.query, null)
  for (const one of lost.filter((file) => !isTrulyLost(file, dead)))
    breach(`${one.id} is held back because workers were lost over it, who were ${one.workers.join(', ')} and did not all die`)
  await withContext(ground, (ctx) => judgeInvariants(ctx, breach, { storage: false }))
  return lost.map(({ id }) => id)
}

/** What must be so when everything has come to rest. */
export const judgeRest = async (ground: Ground, breach: (text: string) => void): Promise<void> => {
  const { database, adapter } = ground
  const remains = { query: database.query, stores: [adapter], breach }
  await judgeStores(remains)
  await withContext(ground, (ctx) => judgeQuiet(ctx, remains))
  for (const { what, id } of await database.query(unfinished)) breach(`${String(what)} ${String(id)} when nothing is owed any more`)
}

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
