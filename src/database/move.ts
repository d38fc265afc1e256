import { sql, type RawBuilder } from 'kysely'
import type { Clock } from '../core/clock.ts'
import { RindleError } from '../core/errors.ts'
import type { Machine } from '../core/machine.ts'
import type { Insertion, JobRequest, Queue } from '../core/ports/queue.ts'
import type { Queryable } from './database.ts'
import { afterCommit } from './transaction.ts'

type Fragment = RawBuilder<unknown>
type Values = Readonly<Record<string, unknown>>

/** How many rows a step must touch: a number, an SQL expression, or null for "however many there are". */
export type Expectation = number | Fragment | null

/** One CTE of the statement. Later steps may join it by name. */
export interface Step {
  readonly as: string
  readonly expect: Expectation
  readonly returns: boolean
  render(at: Date): Fragment
  /** One select of history rows for each move of the path. */
  readonly history: readonly Fragment[]
}

interface Change {
  /** Columns of the target; a value or an SQL expression, which sees the target as `t`. */
  readonly set?: Values
  /** What follows FROM: earlier steps or tables to join. */
  readonly from?: Fragment
  /** Which rows; sees the target as `t`. That the state is one the first move starts from is added. */
  readonly where: Fragment
  /** Default 1. */
  readonly expect?: Expectation
  /** Further columns of `t` that later steps and the caller get; `id`, `asset_id` and `previous_state` are always there for steps. */
  readonly returning?: readonly string[]
}

interface Birth {
  /** One record a row, in column names; dates, numbers, strings, bytes and JSON as they are. */
  readonly rows: readonly Values[]
  /** Columns whose values are SQL expressions over the earlier steps in `from` or over the offered row `v`. */
  readonly columns?: Readonly<Record<string, Fragment>>
  readonly from?: Fragment
  /** Sees the offered row as `v`. */
  readonly where?: Fragment
  /** What happens when the row is there already: nothing, or the same statement moves it back to the beginning of the path. */
  readonly conflict?: { readonly target: Fragment; readonly update?: { readonly move: string; readonly set: Readonly<Record<string, Fragment>> } }
  /** Default: as many as there are rows. */
  readonly expect?: Expectation
  readonly returning?: readonly string[]
}

/** Takes rows along a path of moves of their machine; with an empty path, changes them without a move. An asset's revision goes up by one. */
export function moved<M extends string>(as: string, machine: Machine<string, M>, path: readonly M[], change: Change): Step {
  checkPath(machine, path, null)
  const isAsset = machine.entity === 'asset'
  const first = path[0]
  const to = finalState(machine, path)
  return {
    as,
    expect: change.expect === undefined ? 1 : change.expect,
    returns: change.returning !== undefined,
    history: historyOf(as, machine, path),
    render(at) {
      const set: Record<string, unknown> = { ...change.set }
      if (isAsset) set['revision'] = sql`t.revision + 1`
      if (to !== null) {
        if (!machine.states[to]?.owed && hasDueDate(machine)) set['due_at'] ??= sql`null`
        Object.assign(set, { previous_state: sql`t.state`, state: literal(to), state_changed_at: sql`${at}::timestamptz` })
      }
      const from = change.from ? sql`from ${change.from}` : sql``
      const guard = first ? sql`t.state = any(${stateList(machine.moves[first].from)}) and` : sql``
      return sql`update ${tableOf(machine)} as t set ${assignments(set)} ${from} where ${guard} (${change.where}) returning ${returned(machine, change.returning)}`
    },
  }
}

/** Inserts rows that are born along a path of moves from the machine's initial state. */
export function born<M extends string>(as: string, machine: Machine<string, M>, path: readonly M[], birth: Birth): Step {
  checkPath(machine, path, machine.initial)
  const state = finalState(machine, path) ?? machine.initial
  return {
    as,
    expect: birth.expect === undefined ? birth.rows.length : birth.expect,
    returns: birth.returning !== undefined,
    history: historyOf(as, machine, path, birth.conflict?.update?.move ?? null),
    render(at) {
      const stamp = machine.entity === 'run' ? 'started_at' : 'inserted_at'
      const values: Record<string, Fragment> = {
        ...Object.fromEntries(Object.keys(birth.rows[0] ?? {}).map((column) => [column, sql`v.${sql.id(column)}`])),
        ...birth.columns,
        state: literal(state),
        [stamp]: sql`${at}::timestamptz`,
        state_changed_at: sql`${at}::timestamptz`,
      }
      const columns = sql.join(Object.keys(values).map((column) => sql.id(column)))
      const from = birth.from ? sql`, ${birth.from}` : sql``
      const where = birth.where ? sql`where ${birth.where}` : sql``
      return sql`insert into ${tableOf(machine)} as t (${columns}) select ${sql.join(Object.values(values))} from ${offered(machine.table, birth.rows)} as v ${from} ${where} ${onConflict(birth, state, at)} returning ${returned(machine, birth.returning)}`
    },
  }
}

/** A CTE that writes no state: an attachment, a pointer, a lock that is read. It must yield the rows it touched. */
export const also = (as: string, statement: Fragment, options: { readonly expect: Expectation; readonly returns?: boolean }): Step => ({
  as,
  expect: options.expect,
  returns: options.returns ?? false,
  history: [],
  render: () => statement,
})

/** The rows that `rows` holds, typed as rows of `table`. */
export const offered = (table: string, rows: readonly Values[]): Fragment =>
  sql`jsonb_populate_recordset(null::rindle.${sql.id(table)}, ${JSON.stringify(rows.map(jsonRow))}::text::jsonb)`

export interface Recorder {
  readonly clock: Pick<Clock, 'now'>
  readonly queue: Pick<Queue, 'insertion' | 'notify'>
}

export interface MoveOptions {
  /** Jobs to enqueue with the moves. */
  readonly jobs?: readonly JobRequest[]
  /** Who asked, for the history. */
  readonly actor?: string
  /** Why, for the history. */
  readonly reason?: string
  /** The instant that everything is stamped with; `ctx.clock.now()` when absent. */
  readonly at?: Date
}

/**
 * Performs moves of rows of several machines, with inserts, history and jobs, as one statement: all of it or nothing. The only writer of
 * any `state` column. Steps run in the order given, which must be the lock order of the tables.
 *
 * @returns for each step that names `returning` (or `returns`), its rows as JSON: times are ISO text, bytes `\x…` text.
 * @throws RindleError `statement_missed` when a step touched another number of rows than it must; nothing was changed.
 */
export async function moves(db: Queryable, ctx: Recorder, steps: readonly Step[], options: MoveOptions = {}): Promise<Readonly<Record<string, readonly Values[]>>> {
  const at = options.at ?? ctx.clock.now()
  const ctes = steps.map((step) => sql`${sql.id(step.as)} as (${step.render(at)})`)
  const history = steps.flatMap((step) => step.history)
  if (history.length > 0) ctes.push(historyCte(history, at, options))
  const jobs = options.jobs ?? []
  if (jobs.length > 0) ctes.push(sql`"jobs" as (${embedded(ctx.queue.insertion(jobs))})`)

  const checks = sql.join(steps.map(check), sql` `)
  const results = steps.filter((step) => step.returns).map((step) => sql`, (select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ${sql.id(step.as)} r)::text as ${sql.id(step.as)}`)
  const statement = sql<Record<string, string>>`with ${sql.join(ctes)} select case ${checks} else true end as settled ${sql.join(results, sql` `)}`

  const { rows } = await statement.execute(db).catch((cause: unknown) => {
    throw missedStep(cause) ?? cause
  })
  if (jobs.length > 0) afterCommit(() => ctx.queue.notify(jobs))
  return Object.fromEntries(steps.filter((step) => step.returns).map((step) => [step.as, JSON.parse(rows[0]?.[step.as] ?? '[]')]))
}

/**
 * Performs one named move (or a path of them) of one row as a compare-and-set, with its history.
 *
 * @throws RindleError `state_conflict` when the row is not in a state the move starts from.
 */
export async function move<M extends string>(
  db: Queryable,
  ctx: Recorder,
  machine: Machine<string, M>,
  id: string,
  path: NoInfer<M> | readonly NoInfer<M>[],
  options: MoveOptions & { readonly set?: Values } = {},
): Promise<void> {
  const names = typeof path === 'string' ? [path] : path
  try {
    await moves(db, ctx, [moved(machine.entity, machine, names, { where: sql`t.id = ${id}::uuid`, ...(options.set ? { set: options.set } : {}) })], options)
  } catch (err) {
    if (!isMissed(err)) throw err
    const { rows } = await sql<{ state: string }>`select state from ${tableOf(machine)} where id = ${id}::uuid`.execute(db)
    const first = names[0]
    const expected = first ? machine.moves[first].from : []
    throw new RindleError('state_conflict', { entity: machine.entity, id, move: names.join(', '), expected, actual: rows[0]?.state ?? 'absent' })
  }
}

export const isMissed = (err: unknown): boolean => err instanceof RindleError && err.code === 'statement_missed'

/** Looks, decides and settles again when the rows had moved on in between, a bounded number of times. */
export async function lookAgainOnMiss<T>(attempt: () => Promise<T>, options: { readonly limit: number } = { limit: 12 }): Promise<T> {
  for (let left = options.limit; ; left -= 1) {
    try {
      return await attempt()
    } catch (err) {
      if (!isMissed(err) || left <= 1) throw err
    }
  }
}

const missedStep = (cause: unknown): RindleError | null => {
  if (typeof cause !== 'object' || cause === null || !('code' in cause) || cause.code !== 'RD001') return null
  const step = 'message' in cause ? (/rindle: (\S+) was/.exec(String(cause.message))?.[1] ?? 'unknown') : 'unknown'
  return new RindleError('statement_missed', { step }, { cause })
}

const check = (step: Step): Fragment => {
  const count = sql`(select count(*) from ${sql.id(step.as)})`
  if (step.expect === null) return sql`when ${count} < 0 then false`
  const wanted = typeof step.expect === 'number' ? sql.raw(String(step.expect)) : step.expect
  return sql`when ${count} <> ${wanted} then rindle.missed(${literal(step.as)})`
}

const historyCte = (rows: readonly Fragment[], at: Date, options: MoveOptions): Fragment =>
  sql`"history" as (insert into rindle.state_moves (at, entity, entity_id, asset_id, move, from_state, to_state, actor, reason) select ${at}::timestamptz, h.entity, h.id, h.asset_id, h.move, h.from_state, h.to_state, ${options.actor ?? null}::text, ${options.reason ?? null}::text from (${sql.join(
    rows.map((row, step) => sql`select ${sql.raw(String(step))} as step, ${row}`),
    sql` union all `,
  )}) h order by h.step)`

const historyOf = (as: string, machine: Machine, path: readonly string[], conflictMove?: string | null): Fragment[] => {
  const entity = sql`${literal(machine.entity)} as entity, id, asset_id`
  const rows: Fragment[] = []
  if (conflictMove !== undefined) {
    const birthMove = conflictMove === null ? literal('born') : sql`case when previous_state is null then 'born' else ${literal(conflictMove)} end`
    rows.push(sql`${entity}, ${birthMove} as move, previous_state as from_state, ${literal(machine.initial)} as to_state from ${sql.id(as)}`)
  }
  path.forEach((name, i) => {
    const before = i > 0 ? finalState(machine, path.slice(0, i)) : conflictMove === undefined ? null : machine.initial
    const from = before === null ? sql`previous_state` : literal(before)
    rows.push(sql`${entity}, ${literal(name)} as move, ${from} as from_state, ${literal(machine.moves[name]?.to ?? '')} as to_state from ${sql.id(as)}`)
  })
  return rows
}

const onConflict = (birth: Birth, state: string, at: Date): Fragment => {
  if (!birth.conflict) return sql``
  const { target, update } = birth.conflict
  if (!update) return sql`on conflict ${target} do nothing`
  const set = { ...update.set, previous_state: sql`t.state`, state: literal(state), state_changed_at: sql`${at}::timestamptz` }
  return sql`on conflict ${target} do update set ${assignments(set)}`
}

const returned = (machine: Machine, further: readonly string[] = []): Fragment => {
  const owner = machine.entity === 'asset' ? sql`t.id as asset_id` : sql`t.asset_id`
  const rest = further.filter((column) => !['id', 'asset_id', 'previous_state'].includes(column)).map((column) => sql`t.${sql.id(column)}`)
  return sql.join([sql`t.id`, owner, sql`t.previous_state`, ...rest])
}

const assignments = (set: Values): Fragment =>
  sql.join(Object.entries(set).map(([column, value]) => sql`${sql.id(column)} = ${isFragment(value) ? value : sql`${value}`}`))

const isFragment = (value: unknown): value is Fragment => typeof value === 'object' && value !== null && 'toOperationNode' in value

const finalState = (machine: Machine, path: readonly string[]): string | null => {
  const last = path.at(-1)
  return last === undefined ? null : (machine.moves[last]?.to ?? null)
}

const checkPath = (machine: Machine, path: readonly string[], initial: string | null): void => {
  let state = initial
  for (const name of path) {
    const next = machine.moves[name]
    if (!next || (state !== null && !next.from.includes(state))) {
      throw new RindleError('argument_invalid', { argument: 'path', problem: `${machine.entity} cannot ${name} from ${state ?? 'anywhere'}` })
    }
    state = next.to
  }
}

/** Runs have no due date of their own: the lease of what they work on is the asset's or the variant's. */
const hasDueDate = (machine: Machine): boolean => machine.entity !== 'run'

const tableOf = (machine: Machine): Fragment => sql`rindle.${sql.id(machine.table)}`
const literal = (constant: string): Fragment => sql.raw(`'${constant.replaceAll("'", "''")}'::text`)
const stateList = (states: readonly string[]): Fragment => sql`array[${sql.join(states.map(literal))}]`

const jsonRow = (row: Values): Values =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value]))

/** The queue's own text with its $n turned into bound values of this statement. */
const embedded = ({ text, values }: Insertion): Fragment => {
  const parts = text.split(/\$(\d+)/)
  return sql.join(
    parts.map((part, i) => (i % 2 === 0 ? sql.raw(part) : sql`${values[Number(part) - 1]}`)),
    sql``,
  )
}
