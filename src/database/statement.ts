import type { Clock } from '../core/clock.ts'
import { RindleError } from '../core/errors.ts'
import type { Insertion, JobRequest, Queue } from '../core/ports/queue.ts'
import type { Queryable } from './database.ts'
import { writeHistory } from './history-rows.ts'
import { executorOf } from './queryable.ts'
import { SqlError } from './sql-error.ts'
import { createWriter, type Fragment, literal, quotedName, type StatementWriter } from './statement-writer.ts'
import { afterCommit } from './transaction.ts'

type Values = Readonly<Record<string, unknown>>

/** How many rows a step must touch: a number, an SQL expression, or null for "however many there are". */
export type Expectation = number | Fragment | null

/** One CTE of the statement. Later steps may join it by name. */
export interface Step {
  readonly as: string
  readonly expect: Expectation
  readonly returns: boolean
  /** One select of history rows for each move of the path. */
  readonly history: readonly (Fragment | string)[]
  write(to: StatementWriter, at: Date): void
}

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

/** For each step that names `returning` (or `returns`), its rows as JSON: times are ISO text, bytes `\x…` text. */
export type Written = Readonly<Record<string, readonly Values[]>>

/**
 * Performs moves of rows of several machines, with inserts, history and jobs, as one statement: all of it or nothing. What writes a `state`
 * column are the steps that `move.ts` makes, and nothing else runs them. Steps run in the order given, which must be the lock order of the
 * tables.
 *
 * @throws RindleError `statement_missed` when a step touched another number of rows than it must; nothing was changed.
 */
export async function moves(db: Queryable, ctx: Recorder, steps: readonly Step[], options: MoveOptions = {}): Promise<Written> {
  const { jobs = [], at = ctx.clock.now(), actor = null, reason = null } = options
  const insertion = jobs.length > 0 ? ctx.queue.insertion(jobs) : null
  const to = createWriter()
  writeStatement(to, steps, { at, actor, reason, insertion })
  return run(db, ctx, { text: to.sql, values: to.values, answers: answersOf(steps), jobs })
}

/** Stands in a statement for a value that every run of it gives anew. */
export class Given {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * `moves` for steps that are always the same but for their values: the text is written once and found from then on, since writing a large
 * statement takes longer than sending it. `write` gets a stand-in for each value, so it can bind values, and an instant that stands for
 * that of each run; it can decide nothing by either.
 */
export const fixedMoves = <V extends object>(
  write: (given: Readonly<Record<keyof V, Given>>, at: Date) => readonly Step[],
): ((db: Queryable, ctx: Recorder, values: V, options?: MoveOptions) => Promise<Written>) => {
  const only = {}
  const shaped = shapedMoves<V, object>(write)
  return (db, ctx, values, options) => shaped(db, ctx, values, only, options)
}

/** `fixedMoves` of few forms, each written once. What the text depends on is the shape: plain data, and nothing that differs without end. */
export const shapedMoves = <V extends object, S extends object>(
  write: (given: Readonly<Record<keyof V, Given>>, at: Date, shape: S) => readonly Step[],
): ((db: Queryable, ctx: Recorder, values: V, shape: S, options?: MoveOptions) => Promise<Written>) => {
  const texts = new Map<string, Fixed>()
  const textOf = (shape: S, insertion: Insertion | null): Fixed => {
    const key = `${insertion ? 'jobs' : ''} ${JSON.stringify(shape)}`
    const known = texts.get(key)
    if (known && known.insertion === (insertion?.text ?? null)) return known
    const steps = write(standIns<V>(), instant, shape)
    const to = createWriter()
    const jobs = insertion && { text: insertion.text, values: insertion.values.map((_, i) => jobValue(i)) }
    writeStatement(to, steps, { at: instant, actor, reason, insertion: jobs })
    const fixed = { text: to.sql, places: to.values, answers: answersOf(steps), insertion: insertion?.text ?? null }
    texts.set(key, fixed)
    return fixed
  }
  return async (db, ctx, values, shape, options = {}) => {
    const { jobs = [], at = ctx.clock.now() } = options
    const insertion = jobs.length > 0 ? ctx.queue.insertion(jobs) : null
    const { text, places, answers } = textOf(shape, insertion)
    const given: Values = Object.fromEntries(Object.entries(values))
    const bound = places.map((place) => {
      if (place === instant) return at
      if (!(place instanceof Given)) return place
      if (place === actor) return options.actor ?? null
      if (place === reason) return options.reason ?? null
      const job = jobValues.indexOf(place)
      return job < 0 ? given[place.name] : insertion?.values[job]
    })
    return run(db, ctx, { text, values: bound, answers, jobs })
  }
}

interface Fixed {
  readonly text: string
  readonly places: readonly unknown[]
  readonly answers: readonly Answer[]
  readonly insertion: string | null
}

/** A date that can be bound and says nothing: whatever is reckoned from it would be the same in every run. */
class StandInInstant extends Date {
  constructor() {
    super(Number.NaN)
  }
  override getTime(): never {
    throw new RindleError('argument_invalid', { argument: 'at', problem: 'a text that is written once can only bind it; reckon in SQL' })
  }
  override valueOf(): never {
    return this.getTime()
  }
  override toISOString(): never {
    return this.getTime()
  }
  override [Symbol.toPrimitive](): never {
    return this.getTime()
  }
}

const instant = new StandInInstant()
const actor = new Given('actor')
const reason = new Given('reason')
const jobValues: Given[] = []
const jobValue = (i: number): Given => (jobValues[i] ??= new Given('job'))

const standIns = <V>(): Readonly<Record<keyof V, Given>> => {
  const known = new Map<string, Given>()
  return new Proxy({} as Record<keyof V, Given>, {
    get(_, name) {
      const given = known.get(String(name)) ?? new Given(String(name))
      known.set(given.name, given)
      return given
    },
  })
}

/** A step whose rows the caller gets. */
interface Answer {
  readonly as: string
  /** The row itself instead of a list. */
  readonly one: boolean
}

const answersOf = (steps: readonly Step[]): Answer[] =>
  steps.filter(({ returns }) => returns).map(({ as, expect }) => ({ as, one: expect === 1 }))

const run = async (
  db: Queryable,
  ctx: Recorder,
  statement: {
    readonly text: string
    readonly values: readonly unknown[]
    readonly answers: readonly Answer[]
    readonly jobs: readonly JobRequest[]
  },
): Promise<Written> => {
  const { text, values, answers, jobs } = statement
  const { rows } = await executorOf(db)
    .execute(text, values)
    .catch((cause: unknown) => {
      throw missedStep(cause) ?? cause
    })
  if (jobs.length > 0) afterCommit(() => ctx.queue.notify(jobs))
  const written: Record<string, readonly Values[]> = {}
  for (const { as, one } of answers) {
    const parsed = JSON.parse(String(rows[0]?.[as] ?? '[]'))
    written[as] = one ? [parsed] : parsed
  }
  return written
}

/** Of a step that must touch one row. */
const moreThanOneRow = '21000'

const missedStep = (cause: unknown): RindleError | null => {
  if (!(cause instanceof SqlError) || (cause.code !== 'RD001' && cause.code !== moreThanOneRow)) return null
  return new RindleError('statement_missed', { step: /rindle: (\S+) was/.exec(cause.message)?.[1] ?? 'unknown' }, { cause })
}

interface Saying {
  readonly at: Date
  readonly actor: unknown
  readonly reason: unknown
  readonly insertion: Insertion | null
}

const writeStatement = (to: StatementWriter, steps: readonly Step[], { insertion, ...said }: Saying): void => {
  to.text('with ')
  steps.forEach((step, i) => {
    to.text(i > 0 ? ', ' : '')
      .text(quotedName(step.as))
      .text(' as (')
    step.write(to, said.at)
    to.text(')')
  })
  const history = steps.flatMap((step) => step.history)
  if (history.length > 0) writeHistory(to, history, said)
  if (insertion) writeEmbedded(to, insertion)
  const checked = steps.filter(({ expect, returns }) => expect !== null || !returns)
  to.text(checked.length > 0 ? ' select case' : ' select true')
  for (const step of checked) writeCheck(to, step)
  to.text(checked.length > 0 ? ' else true end as settled' : ' as settled')
  for (const { as } of answersOf(steps)) to.text(`, found.${quotedName(as)}`)
  to.text(' from (select ')
  steps.forEach((step, i) => writeFound(to.text(i > 0 ? ', ' : ''), step))
  to.text(' offset 0) found')
}

/**
 * What a step did, asked for in the order of the steps, which is what runs them in that order. A step of one row is one row or null, since
 * gathering into a list costs the server more than the row itself; that there are not two is its own to see to.
 */
const writeFound = (to: StatementWriter, { as, expect, returns }: Step): void => {
  const name = quotedName(as)
  if (returns && expect === 1) to.text(`(select row_to_json(r) from ${name} r)::text as ${name}`)
  else if (returns) to.text(`(select coalesce(json_agg(r), '[]') from ${name} r)::text as ${name}`)
  if (returns && (expect === null || expect === 1)) return
  if (expect === 1) to.text(`(select true from ${name}) as ${name}`)
  else to.text(returns ? ', ' : '').text(`(select count(*) from ${name}) as ${quotedName(`${as} count`)}`)
}

const writeCheck = (to: StatementWriter, { as, expect }: Step): void => {
  const missed = ` then rindle.missed(${literal(as)})`
  if (expect === 1) return void to.text(` when found.${quotedName(as)} is null${missed}`)
  to.text(` when found.${quotedName(`${as} count`)}`)
  if (expect === null) return void to.text(' < 0 then false')
  to.text(' <> ')
  if (typeof expect === 'number') to.text(String(expect))
  else to.fragment(expect)
  to.text(missed)
}

/** The queue's own text with its $n turned into bound values of this statement. */
const writeEmbedded = (to: StatementWriter, { text, values }: Insertion): void => {
  to.text(', "jobs" as (')
  text.split(/\$(\d+)/).forEach((part, i) => (i % 2 === 0 ? to.text(part) : to.value(values[Number(part) - 1])))
  to.text(')')
}
