import type { PoolClient } from 'pg'
import { isRindleError } from '../../src/core/errors.ts'
import type { Random } from '../harness.ts'
import type { Ground } from './ground.ts'
import type { Call } from './model.ts'
import type { Seat } from './seat.ts'

/** What a call answered, or the code of a refusal that its caller has to expect. */
export const answered = async <T>(codes: readonly string[], run: () => Promise<T>): Promise<T | string> => {
  try {
    return await run()
  } catch (err) {
    if (isRindleError(err) && codes.includes(err.code)) return err.code
    throw err
  }
}

interface Order {
  readonly file: number
  /** Whether some of it was stopped, as somebody saw it a moment ago. */
  readonly isStopped?: boolean
  readonly random: Random
  readonly tx?: PoolClient
}

/** Has variants of a file stopped, or made after all. */
export const order = (ground: Ground, seat: Seat, given: Order): Promise<Call> =>
  (given.random.chance(given.isStopped ? 0.3 : 0.7) ? stop : ask)(ground, seat, given)

const stop = async ({ rindle, counts }: Ground, { assets }: Seat, { file, tx }: Order): Promise<Call> => {
  const told = await answered(['not_processing', 'asset_not_found'], () => rindle.cancelProcessing(assets[file] ?? '', tx ? { tx } : {}))
  if (typeof told !== 'string') counts.stopped += 1
  return { do: 'stop', file, told: told === 'asset_not_found' ? 'gone' : typeof told === 'string' ? 'idle' : told }
}

const ask = async ({ rindle, counts }: Ground, { assets, start }: Seat, { file, random, tx }: Order): Promise<Call> => {
  const { wanted = [] } = start.files[file] ?? {}
  const names = wanted.length > 0 && random.chance(0.3) ? [random.pick(wanted)] : null
  const wish = { ...(names ? { variants: names } : {}), ...(tx ? { tx } : {}) }
  const told = await answered(['state_conflict', 'asset_not_found'], () => rindle.requeueVariants(assets[file] ?? '', wish))
  if (typeof told !== 'string' && told.length > 0) counts.asked += 1
  return { do: 'ask', file, names, told: told === 'asset_not_found' ? 'gone' : typeof told === 'string' ? 'refused' : told }
}

/** Files of which something waits, is made or was stopped. */
export const unmadeFiles = async ({ database }: Ground, seats: readonly Seat[]) => {
  const rows = await database.query(unmadeText, [seats.flatMap(({ assets }) => assets)])
  const unmade = new Map(rows.map(({ id, stopped }) => [String(id), stopped === true]))
  return seats.flatMap((seat) =>
    seat.assets.flatMap((id, file) => (unmade.has(id) ? [{ seat, file, isStopped: unmade.get(id) === true }] : [])),
  )
}

const unmadeText = `
  select asset_id as id, bool_or(state = 'cancelled') as stopped from rindle.media_variants
   where asset_id = any($1) and state in ('queued', 'processing', 'cancelled') group by asset_id`
