import { sql } from 'kysely'
import { RindleError } from '../core/errors.ts'
import type { Machine } from '../core/machine.ts'
import { typeOfColumn } from './column-types.ts'
import type { Queryable } from './database.ts'
import { historyOf } from './history-rows.ts'
import { executorOf } from './queryable.ts'
import { SqlError } from './sql-error.ts'
import { type Expectation, Given, type MoveOptions, moves, type Recorder, type Step } from './statement.ts'
import { isFragment, literal, quotedName, type Fragment, type StatementWriter } from './statement-writer.ts'

type Values = Readonly<Record<string, unknown>>

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

/** Rows that come as a list. */
interface Births extends Birth {
  /** One record a row, in column names; dates, numbers, strings, bytes and JSON as they are. */
  readonly rows: readonly Values[]
}

/** One row whose values stand in the statement itself, so that the server joins nothing. There is no `v`. */
interface SingleBirth extends Birth {
  /** In column names; each value is bound as what its column is. Bytes and JSON belong into `columns`. */
  readonly row: Values
}

/** A list whose text is bound by the caller. */
interface ListedBirths extends Birth {
  /** A row set to select from as `v`, and the columns that it gives. */
  readonly list: Fragment
  readonly gives: readonly string[]
  readonly expect: Expectation
}

interface Birth {
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
      writeAssignments(to, { ...castGiven(machine, change.set), ...movedColumns(machine, path, change.set, at) })
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
  return { ...columns, previous_state: stateBefore, state: asRawText(literal(to)), state_changed_at: at }
}

/** Inserts rows that are born along a path of moves from the machine's initial state. */
export function born<M extends string>(
  as: string,
  machine: Machine<string, M>,
  path: readonly M[],
  birth: Births | SingleBirth | ListedBirths,
): Step {
  checkPath(machine, path, machine.initial)
  const state = finalState(machine, path) ?? machine.initial
  return {
    as,
    expect: birth.expect !== undefined ? birth.expect : 'rows' in birth ? birth.rows.length : 1,
    returns: birth.returning !== undefined,
    history: historyOf(as, machine, path, birth.conflict?.update?.move ?? null),
    write(to, at) {
      const values: Record<string, unknown> = {}
      if ('row' in birth) Object.assign(values, typedValues(machine, birth.row))
      else for (const column of columnsOffered(birth)) values[column] = offeredValue
      Object.assign(values, birth.columns)
      values['state'] = asRawText(literal(state))
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
      const list = 'row' in birth ? null : 'list' in birth ? birth.list : offered(machine.table, birth.rows)
      if (list) to.text(' from ').fragment(list).text(' as v')
      if (birth.from) to.text(list ? ', ' : ' from ').fragment(birth.from)
      if (birth.where) to.text(' where ').fragment(birth.where)
      writeConflict(to, birth, state, at)
      to.text(' ')
      writeReturned(to, machine, birth.returning)
    },
  }
}

const castGiven = (machine: Machine, set: Values = {}): Values => {
  const given = Object.entries(set).filter(([, value]) => value instanceof Given)
  return { ...set, ...typedValues(machine, Object.fromEntries(given)) }
}

const columnsOffered = (birth: Births | ListedBirths): readonly string[] =>
  'gives' in birth ? birth.gives : birth.rows.flatMap((row) => Object.keys(row))

const typedValues = (machine: Machine, row: Values): Values =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, sql`${value}::${sql.raw(typeOfColumn(machine.table, column))}`]))

/** A CTE that writes no state: an attachment, a pointer, a lock that is read. It must yield the rows it touched. */
export const also = (as: string, statement: Fragment, options: { readonly expect: Expectation; readonly returns?: boolean }): Step => ({
  as,
  expect: options.expect,
  returns: options.returns ?? false,
  history: [],
  write: (to) => void to.fragment(statement),
})

/** The rows that `rows` holds, typed as rows of `table`. */
const offered = (table: string, rows: readonly Values[]): Fragment =>
  sql`jsonb_populate_recordset(null::rindle.${sql.id(table)}, ${JSON.stringify(rows.map(jsonRow))}::text::jsonb)`

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

const writeConflict = (to: StatementWriter, birth: Birth, state: string, at: Date): void => {
  if (!birth.conflict) return
  const { target, update } = birth.conflict
  to.text(' on conflict ').fragment(target)
  if (!update) {
    to.text(' do nothing')
    return
  }
  to.text(' do update set ')
  writeAssignments(to, { ...update.set, previous_state: stateBefore, state: asRawText(literal(state)), state_changed_at: at })
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
class RawText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
const asRawText = (text: string): RawText => new RawText(text)

const nextRevision = asRawText('t.revision + 1')
const stateBefore = asRawText('t.state')
/** What a column of the offered row gives. */
const offeredValue = asRawText('v')

const writeValue = (to: StatementWriter, value: unknown): void => {
  if (isFragment(value)) to.fragment(value)
  else if (value instanceof RawText) to.text(value.text)
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
