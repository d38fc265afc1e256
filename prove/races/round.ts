import type { PoolClient } from 'pg'
import { isRindleError } from '../../src/core/errors.ts'
import type { Attachment } from '../../src/core/attachment.ts'
import type { Random } from '../harness.ts'
import { type Call, type Deed, explain, type File, type Shown, type Slot } from './model.ts'
import { answered, order, unmadeFiles } from './orders.ts'
import { bringFiles } from './files.ts'
import type { Ground } from './ground.ts'
import type { Seat } from './seat.ts'

export interface Round {
  readonly ground: Ground
  readonly seats: readonly Seat[]
}

const callers = 64
const singles = ['one', 'two'] as const
/** What the search for an order takes on with ease. */
const mostDeeds = 14
const deedsOfInterference = 4
const looksAtUnmade = 4
const quietMs = 30_000
const longestPauseMs = 120
/** By then workers have been to every slot that was free. */
const busyPauseMs = 60

type SlotName = (typeof singles)[number] | 'many'
const nameOf = (slot: Slot): SlotName => (slot === 'many' ? slot : (singles[slot] ?? 'one'))

/** Sets so many seats, each with files of its own: some to be verified yet, some in the gate, some that passed it. */
export const setSeats = async ({ ctx }: Ground, random: Random, round: number): Promise<Seat[]> => {
  const brought = await bringFiles(ctx, random.fork('files'), random.pick([5, 6, 8]))
  return brought.map(({ assets, sessions, files }, index) => {
    const start = { files, singles: singles.map(() => ({ current: null, pending: null })), many: [] }
    return { owner: { type: 'Racer', id: round * 100 + index }, assets, sessions, start, deeds: [] }
  })
}

/** All callers at once. */
export const race = async (round: Round, random: Random): Promise<void> => {
  const { seats } = round
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      const seat = seats[caller % seats.length]
      const own = random.fork(caller)
      if (!seat) return
      await act(round, seat, own)
      if (own.chance(0.2) && seat.deeds.length < mostDeeds) await act(round, seat, own)
    }),
  )
}

/** While workers make what is left to be made some of it is stopped and asked for again, by two at once. */
const interfere = async (round: Round, random: Random): Promise<void> => {
  const { ground, seats } = round
  for (let look = 0; look < looksAtUnmade; look += 1) {
    const unmade = await unmadeFiles(ground, seats)
    const chosen = unmade.filter(({ seat }) => random.chance(0.5) && seat.deeds.length < mostDeeds + deedsOfInterference)
    await Promise.all(
      chosen.flatMap(({ seat, ...about }) =>
        ['one', 'other'].map((who) => act(round, seat, random.fork(`${who} ${look}`), orderOf(about))),
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, random.int(30)))
  }
}

const orderOf =
  (about: { readonly file: number; readonly isStopped: boolean }): Act =>
  async (ground, seat, random) => [await order(ground, seat, { ...about, random })]

/** Quiet, then the judge. @returns of how many deeds. */
export const judgeRound = async (round: Round, random: Random): Promise<number> => {
  const { ground, seats } = round
  await interfere(round, random)
  await untilQuiet(round)
  const ends = await endsOf(ground, seats)
  for (const [index, seat] of seats.entries()) judge(round, seat, ends[index] ?? null)
  return seats.reduce((sum, { deeds }) => sum + deeds.length, 0)
}

const judge = ({ ground }: Round, seat: Seat, end: Extract<Call, { do: 'end' }> | null): void => {
  const last: Deed[] = end ? [{ calls: [end], from: Infinity, to: Infinity }] : []
  const outcome = explain(seat.start, [...seat.deeds, ...last])
  ground.counts[outcome] += 1
  if (outcome !== 'unexplained') return
  const story = [...seat.deeds, ...last].map(({ from, to, calls }) => `  ${from.toFixed(2)}–${to.toFixed(2)} ${JSON.stringify(calls)}`)
  const files = seat.assets.map((id, file) => `${file} is ${id}`).join(', ')
  ground.breach(
    `no order explains what happened to owner ${seat.owner.id} (${files}):\n  ${JSON.stringify(seat.start)}\n${story.join('\n')}`,
  )
}

const act = async (round: Round, seat: Seat, random: Random, chosen = draw(random)): Promise<void> => {
  const { ground } = round
  const from = performance.now()
  try {
    const calls = await chosen(ground, seat, random)
    const to = performance.now()
    // Who is refused holds nothing, so that others may come between that and the rest of a transaction.
    const [refused, done] = [calls.filter(isRefused), calls.filter((call) => !isRefused(call))]
    for (const call of refused) seat.deeds.push({ calls: [call], from, to })
    if (done.length > 0) seat.deeds.push({ calls: done, from, to })
  } catch (err) {
    ground.breach(`a caller was told ${isRindleError(err) ? err.code : ''} ${err instanceof Error ? err.stack : String(err)}`)
  }
}

const isRefused = (call: Call): boolean =>
  (call.do === 'attach' && call.told === 'refused') || ((call.do === 'stop' || call.do === 'ask') && typeof call.told === 'string')

type Act = (ground: Ground, seat: Seat, random: Random) => Promise<readonly Call[]>

const aFile = ({ assets }: Seat, random: Random): number => random.int(assets.length)
const aSlot = (random: Random): Slot => random.pick([0, 0, 0, 1, 'many'] as const)

const shownOf = ({ assets }: Seat, attachment: Pick<Attachment, 'asset' | 'standing' | 'previous'> | null): Shown | null =>
  attachment && {
    file: assets.indexOf(attachment.asset.id),
    standing: attachment.standing,
    previous: attachment.previous ? assets.indexOf(attachment.previous.asset.id) : null,
  }

const attachTo = async ({ rindle }: Ground, seat: Seat, file: number, slot: Slot, tx?: PoolClient): Promise<Call> => {
  const attach = () => rindle.attach(seat.assets[file] ?? '', seat.owner, nameOf(slot), tx ? { tx } : {})
  const told = await answered(['asset_not_attachable', 'asset_not_found'], attach)
  return { do: 'attach', file, slot, told: typeof told === 'string' ? 'refused' : (shownOf(seat, told) ?? 'refused') }
}

const detachFrom = async ({ rindle }: Ground, seat: Seat, file: number | null, slot: Slot, tx?: PoolClient): Promise<Call> => {
  const asset = file === null ? {} : { asset: seat.assets[file] ?? '' }
  await rindle.detach(seat.owner, nameOf(slot), { ...asset, ...(tx ? { tx } : {}) })
  return { do: 'detach', file, slot }
}

const attachOne: Act = async (ground, seat, random) => [await attachTo(ground, seat, aFile(seat, random), aSlot(random))]

const detachOne: Act = async (ground, seat, random) => {
  const slot = aSlot(random)
  return [await detachFrom(ground, seat, slot === 'many' || random.chance(0.4) ? aFile(seat, random) : null, slot)]
}

const orderOne: Act = async (ground, seat, random) => [await order(ground, seat, { file: aFile(seat, random), random })]

/** An app's own transaction: one slot, or two in their order, with time in between, and what is made of a file; and at its end a commit or a rollback. */
const theirs: Act = async (ground, seat, random) => {
  const tx = await ground.pool.connect()
  const calls: Call[] = []
  const isStrict = random.chance(0.15)
  try {
    await tx.query(isStrict ? 'begin isolation level repeatable read' : 'begin')
    const mayConflict = isStrict ? ['transaction_conflict'] : []
    for (const slot of random.pick<readonly Slot[]>([[0], [1], ['many'], [0, 1]])) {
      const act = random.chance(0.7) || slot === 'many' ? attachTo : detachFrom
      const call = await answered(mayConflict, () => act(ground, seat, aFile(seat, random), slot, tx))
      if (typeof call === 'string') return await undone(tx, ground)
      calls.push(call)
      if (random.chance(0.5)) await tx.query('select pg_sleep(0.005)')
    }
    if (random.chance(0.25)) {
      const call = await answered(mayConflict, () => order(ground, seat, { file: aFile(seat, random), random, tx }))
      if (typeof call === 'string') return await undone(tx, ground)
      calls.push(call)
    }
    if (random.chance(0.2)) return await undone(tx, ground)
    await tx.query('commit')
    ground.counts.committed += 1
    return calls
  } catch (err) {
    await tx.query('rollback')
    throw err
  } finally {
    tx.release()
  }
}

const undone = async (tx: PoolClient, { counts }: Pick<Ground, 'counts'>): Promise<[]> => {
  await tx.query('rollback')
  counts.rolledBack += 1
  return []
}

const purgeOne: Act = async ({ rindle }, seat, random) => {
  const file = aFile(seat, random)
  const told = await answered(['asset_attached', 'asset_not_found'], () => rindle.purge(seat.assets[file] ?? ''))
  return [{ do: 'purge', file, told: told === 'asset_attached' ? 'attached' : told === 'asset_not_found' ? 'gone' : 'done' }]
}

const readOne: Act = async ({ rindle }, seat, random) => {
  if (random.chance(0.2)) {
    const [list = []] = await rindle.attachmentsFor([seat.owner], 'many')
    return [{ do: 'list', told: list.map(({ asset }) => seat.assets.indexOf(asset.id)).sort((one, other) => one - other) }]
  }
  const slot = random.int(singles.length)
  return [{ do: 'read', slot, told: shownOf(seat, await rindle.attachmentFor(seat.owner, singles[slot] ?? 'one')) }]
}

const sessionOf = ({ sessions }: Seat, random: Random): { readonly file: number; readonly session: string } | null => {
  const open = sessions.flatMap((session, file) => (session === null ? [] : [{ file, session }]))
  return open.length > 0 ? random.pick(open) : null
}

const verifyOne: Act = async ({ rindle }, seat, random) => {
  const upload = sessionOf(seat, random)
  if (!upload) return []
  const codes = ['upload_session_ended', 'upload_session_not_found', 'asset_not_found']
  const told = await answered(codes, () => rindle.verifyCompletion(upload.session))
  const isGone = told === 'upload_session_not_found' || told === 'asset_not_found'
  return [{ do: 'verify', file: upload.file, told: isGone ? 'gone' : typeof told === 'string' ? 'ended' : 'done' }]
}

const cancelOne: Act = async ({ rindle }, seat, random) => {
  const upload = sessionOf(seat, random)
  if (!upload) return []
  const told = await answered(['upload_session_ended'], () => rindle.cancelUpload(upload.session))
  return [{ do: 'cancel', file: upload.file, told: typeof told === 'string' ? 'ended' : 'done' }]
}

const sweepOne: Act = async (ground, seat, random) => {
  await ground.sweep(random.pick(seat.assets))
  return []
}

const acts: readonly (readonly [weight: number, act: Act])[] = [
  [30, attachOne],
  [18, theirs],
  [12, detachOne],
  [10, purgeOne],
  [12, readOne],
  [10, verifyOne],
  [4, cancelOne],
  [4, sweepOne],
  [8, orderOne],
]

const draw = (random: Random): Act => {
  let dice = random.int(acts.reduce((sum, [weight]) => sum + weight, 0))
  for (const [weight, act] of acts) if ((dice -= weight) < 0) return act
  return readOne
}

const owedText = `
  select 'gate' as what, id from rindle.media_assets where id = any($1) and state in ('validating', 'analyzing')
  union all select 'variant', asset_id from rindle.media_variants where asset_id = any($1) and state in ('planned', 'queued', 'processing')
  union all select 'slot', asset_id from rindle.media_attachments where asset_id = any($1) and standing <> 'released' and due_at is not null
  union all select 'released', t.asset_id from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id
             where t.asset_id = any($1) and t.standing = 'released' and not (a.state = 'quarantined' and t.due_at = a.due_at)`

/** Waits until nothing is owed to these files any more. What a worker would come back to in some seconds is soon asked for. */
const untilQuiet = async ({ ground, seats }: Round): Promise<void> => {
  const assets = seats.flatMap((seat) => seat.assets)
  const patience = performance.now() + quietMs
  for (let pauseMs = 15; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    const owed = await ground.database.query(owedText, [assets])
    if (owed.length === 0) return
    if (performance.now() > patience) {
      const left = owed.map(({ what, id }) => `${String(what)} ${String(id)}`).join(', ')
      return ground.breach(`${quietMs} ms after the last call still owed: ${left}`)
    }
    ground.ctx.queue.notify()
    const busy = pauseMs >= busyPauseMs ? owed.filter(({ what }) => what === 'slot') : []
    for (const { id } of busy) await ground.settle(String(id))
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** What rows say in the end, seat by seat. */
const endsOf = async ({ database }: Ground, seats: readonly Seat[]): Promise<Extract<Call, { do: 'end' }>[]> => {
  const ids = seats.flatMap(({ assets }) => assets)
  const rows = await database.query(
    `select owner_id, slot, standing, asset_id from rindle.media_attachments where asset_id = any($1) and standing <> 'released'`,
    [ids],
  )
  const states = await database.query(endsText, [ids])
  const phaseOf = new Map(states.map(({ id, state }) => [String(id), phases[String(state)] ?? 'gate']))
  const variantsOf = new Map(states.map(({ id, variants }) => [String(id), String(variants)]))
  return seats.map(({ owner, assets }) => {
    const filesIn = (slot: SlotName, standing: string): number[] =>
      rows
        .filter((row) => row['owner_id'] === String(owner.id) && row['slot'] === slot && row['standing'] === standing)
        .map(({ asset_id }) => assets.indexOf(String(asset_id)))
        .sort((one, other) => one - other)
    const only = (files: readonly number[]): number | null => (files.length > 1 ? -1 : (files[0] ?? null))
    return {
      do: 'end',
      told: {
        singles: singles.map((slot) => ({ current: only(filesIn(slot, 'current')), pending: only(filesIn(slot, 'pending')) })),
        many: filesIn('many', 'current'),
        phases: assets.map((id) => phaseOf.get(id) ?? 'gone'),
        variants: assets.map((id) => (phaseOf.get(id) === 'passed' ? (variantsOf.get(id) ?? '') : '')),
      },
    }
  })
}

/** How often a variant was made is counted by its history. */
const endsText = `
  select a.id, a.state,
         coalesce((select string_agg(v.name || ' ' || case v.state when 'ready' then 'made' when 'cancelled' then 'stopped' else v.state end || ' ' ||
                                     (select count(*) from rindle.state_moves m
                                       where m.entity = 'variant' and m.entity_id = v.id and m.move = 'finish'), ', ' order by v.name)
                     from rindle.media_variants v where v.asset_id = a.id), '') as variants
    from rindle.media_assets a where a.id = any($1)`

const phases: Readonly<Record<string, File['phase']>> = {
  staged: 'staged',
  validating: 'gate',
  analyzing: 'gate',
  ...{ available: 'passed', processing: 'passed', transcoding: 'passed', ready: 'passed', degraded: 'passed' },
  quarantined: 'refused',
  deleted: 'gone',
}
