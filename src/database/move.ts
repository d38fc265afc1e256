import { sql } from 'kysely'
import type { Clock } from '../core/clock.ts'
import { RindleError } from '../core/errors.ts'
import type { Machine } from '../core/machine.ts'
import type { Insertion, JobRequest, Queue } from '../core/ports/queue.ts'
import type { Queryable } from './database.ts'
import { historyOf, writeHistory } from './history-rows.ts'
import { executorOf } from './queryable.ts'
import { SqlError } from './sql-error.ts'
import { createWriter, isFragment, literal, quotedName, type Fragment, type StatementWriter } from './statement-writer.ts'
import { afterCommit } from './transaction.ts'

type Values = Readonly<Record<string, unknown>>

/** How many rows a step must touch: a number, an SQL expression, or null for "however many there are". */
export type Expectation = number | Fragment | null

/** One CTE of the statement. Later steps may join it by name. */
export type Step = StepRules & (RenderedStep | WrittenStep)

interface StepRules {
  readonly as: string
  readonly expect: Expectation
  readonly returns: boolean
  /** One select of history rows for each move of the path. */
  readonly history: readonly (Fragment | string)[]
}

interface RenderedStep {
  render(at: Date): Fragment
}

/** As `moved` and `born` do it, without building fragments first. */
interface WrittenStep {
  write(to: StatementWriter, at: Date): void
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
  readonly conflict?: {
    readonly target: Fragment
    readonly update?: { readonly move: string; readonly set: Readonly<Record<string, Fragment>> }
  }
  /** Default: as many as there are rows. */
  readonly expect?: Expectation
  readonly returning?: readonly string[]
}

/** Takes rows along a path of moves of their machine; with an empty path, changes them without a move. An asset's revision goes up by one. */
export function moved<M extends string>(as: string, machine: Machine<string, M>, path: readonly M[], change: Change): Step {
  checkPath(machine, path, null)
  const first = path[0]
  return {
    as,
    expect: change.expect === undefined ? 1 : change.expect,
    returns: change.returning !== undefined,
    history: historyOf(as, machine, path),
    write(to, at) {
      to.text('update ').text(tableOf(machine)).text(' as t set ')
      writeAssignments(to, { ...change.set, ...movedColumns(machine, path, change.set, at) })
      if (change.from) to.text(' from ').fragment(change.from)
      to.text(first ? stateIsOneOf(machine.moves[first].from) : ' where (')
      to.fragment(change.where).text(') ')
      writeReturned(to, machine, change.returning)
    },
  }
}

/** A due date belongs to the state that owes work: resting again, a row has none unless the step says so. */
const movedColumns = (machine: Machine, path: readonly string[], set: Values | undefined, at: Date): Values => {
  const columns: Record<string, unknown> = {}
  const to = finalState(machine, path)
  if (machine.entity === 'asset') columns['revision'] = nextRevision
  if (to === null) return columns
  if (hasDueDate(machine) && !machine.states[to]?.owed && set?.['due_at'] === undefined) columns['due_at'] = null
  return { ...columns, previous_state: stateBefore, state: asWritten(literal(to)), state_changed_at: at }
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
    write(to, at) {
      const values: Record<string, unknown> = {}
      for (const row of birth.rows) for (const column of Object.keys(row)) values[column] = offeredValue
      Object.assign(values, birth.columns)
      values['state'] = asWritten(literal(state))
      values[machine.entity === 'run' ? 'started_at' : 'inserted_at'] = at
      values['state_changed_at'] = at
      const columns = Object.keys(values)
      to.text('insert into ').text(tableOf(machine)).text(' as t (')
      columns.forEach((column, i) => to.text(i > 0 ? ', ' : '').text(quotedName(column)))
      to.text(') select ')
      columns.forEach((column, i) => {
        to.text(i > 0 ? ', ' : '')
        if (values[column] === offeredValue) to.text('v.').text(quotedName(column))
        else writeValue(to, values[column])
      })
      to.text(' from ').fragment(offered(machine.table, birth.rows)).text(' as v')
      if (birth.from) to.text(', ').fragment(birth.from)
      if (birth.where) to.text(' where ').fragment(birth.where)
      writeConflict(to, birth, state, at)
      to.text(' ')
      writeReturned(to, machine, birth.returning)
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
export async function moves(
  db: Queryable,
  ctx: Recorder,
  steps: readonly Step[],
  options: MoveOptions = {},
): Promise<Readonly<Record<string, readonly Values[]>>> {
  const at = options.at ?? ctx.clock.now()
  const jobs = options.jobs ?? []
  const history = steps.flatMap((step) => step.history)
  const returning = steps.filter((step) => step.returns)

  const to = createWriter().text('with ')
  steps.forEach((step, i) => {
    to.text(i > 0 ? ', ' : '')
      .text(quotedName(step.as))
      .text(' as (')
    if ('write' in step) step.write(to, at)
    else to.fragment(step.render(at))
    to.text(')')
  })
  if (history.length > 0) writeHistory(to, history, at, options)
  if (jobs.length > 0) writeEmbedded(to, ctx.queue.insertion(jobs))
  to.text(' select case')
  for (const step of steps) writeCheck(to, step)
  to.text(' else true end as settled')
  for (const { as } of returning) {
    const name = quotedName(as)
    to.text(", (select coalesce(json_agg(r), '[]') from ").text(name).text(' r)::text as ').text(name)
  }

  const { rows } = await executorOf(db)
    .execute(to.sql, to.values)
    .catch((cause: unknown) => {
      throw missedStep(cause) ?? cause
    })
  if (jobs.length > 0) afterCommit(() => ctx.queue.notify(jobs))
  return Object.fromEntries(returning.map(({ as }) => [as, JSON.parse(String(rows[0]?.[as] ?? '[]'))]))
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
    await moves(
      db,
      ctx,
      [moved(machine.entity, machine, names, { where: sql`t.id = ${id}::uuid`, ...(options.set ? { set: options.set } : {}) })],
      options,
    )
  } catch (err) {
    if (!isMissed(err)) throw err
    const actual = await stateNow(db, machine, id)
    const first = names[0]
    const expected = first ? machine.moves[first].from : []
    throw new RindleError('state_conflict', { entity: machine.entity, id, move: names.join(', '), expected, actual })
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

/** Inside a transaction the miss has ended it, so nothing can be asked there any more. */
const stateNow = async (db: Queryable, machine: Machine, id: string): Promise<string> => {
  try {
    const { rows } = await executorOf(db).execute(`select state from ${tableOf(machine)} where id = $1::uuid`, [id])
    return String(rows[0]?.['state'] ?? 'absent')
  } catch (err) {
    if (err instanceof SqlError && err.code === '25P02') return 'in another state'
    throw err
  }
}

const missedStep = (cause: unknown): RindleError | null => {
  if (!(cause instanceof SqlError) || cause.code !== 'RD001') return null
  return new RindleError('statement_missed', { step: /rindle: (\S+) was/.exec(cause.message)?.[1] ?? 'unknown' }, { cause })
}

/** Counting runs the CTEs in the order of the steps, so one that may touch any number of rows is counted as well. */
const writeCheck = (to: StatementWriter, { as, expect }: Step): void => {
  to.text(' when (select count(*) from ').text(quotedName(as)).text(')')
  if (expect === null) {
    to.text(' < 0 then false')
    return
  }
  to.text(' <> ')
  if (typeof expect === 'number') to.text(String(expect))
  else to.fragment(expect)
  to.text(' then rindle.missed(').text(literal(as)).text(')')
}

const writeConflict = (to: StatementWriter, birth: Birth, state: string, at: Date): void => {
  if (!birth.conflict) return
  const { target, update } = birth.conflict
  to.text(' on conflict ').fragment(target)
  if (!update) {
    to.text(' do nothing')
    return
  }
  to.text(' do update set ')
  writeAssignments(to, { ...update.set, previous_state: stateBefore, state: asWritten(literal(state)), state_changed_at: at })
}

/** `previous_state` and the rest of what the history needs, then what the caller asked for. */
const writeReturned = (to: StatementWriter, machine: Machine, further: readonly string[] = []): void => {
  to.text(
    machine.entity === 'asset' ? 'returning t.id, t.id as asset_id, t.previous_state' : 'returning t.id, t.asset_id, t.previous_state',
  )
  for (const column of further)
    if (column !== 'id' && column !== 'asset_id' && column !== 'previous_state') to.text(', t.').text(quotedName(column))
}

const writeAssignments = (to: StatementWriter, set: Values): void =>
  Object.keys(set).forEach((column, i) =>
    writeValue(
      to
        .text(i > 0 ? ', ' : '')
        .text(quotedName(column))
        .text(' = '),
      set[column],
    ),
  )

/** Text of our own that stands where a bound value could. A class, because data that came in as JSON can take any shape, but never be one. */
class Written {
  readonly written: string
  constructor(written: string) {
    this.written = written
  }
}
const asWritten = (written: string): Written => new Written(written)

const nextRevision = asWritten('t.revision + 1')
const stateBefore = asWritten('t.state')
/** What a column of the offered row gives. */
const offeredValue = asWritten('v')

const writeValue = (to: StatementWriter, value: unknown): void => {
  if (isFragment(value)) to.fragment(value)
  else if (value instanceof Written) to.text(value.written)
  else if (value instanceof Date) to.value(value).text('::timestamptz')
  else to.value(value)
}

const finalState = (machine: Machine, path: readonly string[]): string | null => {
  const last = path.at(-1)
  return last === undefined ? null : (machine.moves[last]?.to ?? null)
}

const checkPath = (machine: Machine, path: readonly string[], initial: string | null): void => {
  let state = initial
  for (const name of path) {
    const next = machine.moves[name]
    if (!next || (state !== null && !next.from.includes(state))) {
      throw new RindleError('argument_invalid', {
        argument: 'path',
        problem: `${machine.entity} cannot ${name} from ${state ?? 'anywhere'}`,
      })
    }
    state = next.to
  }
}

/** Runs have no due date of their own: the lease of what they work on is the asset's or the variant's. */
const hasDueDate = (machine: Machine): boolean => machine.entity !== 'run'

const tableOf = (machine: Machine): string => {
  const known = tables.get(machine) ?? `rindle.${quotedName(machine.table)}`
  tables.set(machine, known)
  return known
}
const tables = new WeakMap<Machine, string>()

const stateIsOneOf = (states: readonly string[]): string => {
  const known = conditions.get(states) ?? ` where t.state = any(array[${states.map(literal).join(', ')}]) and (`
  conditions.set(states, known)
  return known
}
const conditions = new WeakMap<readonly string[], string>()

const jsonRow = (row: Values): Values =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value,
    ]),
  )

/** The queue's own text with its $n turned into bound values of this statement. */
const writeEmbedded = (to: StatementWriter, { text, values }: Insertion): void => {
  const parts = embedded?.text === text ? embedded.parts : text.split(/\$(\d+)/)
  embedded = { text, parts }
  to.text(', "jobs" as (')
  parts.forEach((part, i) => (i % 2 === 0 ? to.text(part) : to.value(values[Number(part) - 1])))
  to.text(')')
}

/** It is the same text every time. */
let embedded: { readonly text: string; readonly parts: readonly string[] } | null = null
