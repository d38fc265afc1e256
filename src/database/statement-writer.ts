import { PostgresQueryCompiler, type IdentifierNode, type OperationNode, type RawBuilder, type RawNode, type ValueNode } from 'kysely'

export type Fragment = RawBuilder<unknown>

/** Writes one statement from left to right: its text, and the values that `$1…$n` stand for. */
export interface StatementWriter {
  text(part: string): StatementWriter
  /** Binds a value. The very same object, such as the instant of a statement, is bound once. */
  value(value: unknown): StatementWriter
  fragment(fragment: Fragment): StatementWriter
  readonly sql: string
  readonly values: readonly unknown[]
}

/**
 * Kysely's own compiler takes ten times as long over a large statement; what it alone knows is still left to it. A text that was written
 * before is found part by part rather than put together again, and is the very same string, so that looking it up costs nothing either.
 */
export const createWriter = (): StatementWriter => {
  let place = beginning()
  const values: unknown[] = []

  const write = (part: string): void => {
    place = place.next.get(part) ?? grown(place, part)
  }

  const bind = (value: unknown): void => {
    const known = typeof value === 'object' && value !== null ? values.indexOf(value) : -1
    const position = known >= 0 ? known + 1 : values.push(value)
    write((positions[position] ??= `$${position}`))
  }

  const node = (operation: OperationNode): void => {
    if (isRaw(operation)) {
      const { sqlFragments, parameters } = operation
      for (let i = 0; i < sqlFragments.length; i += 1) {
        write(sqlFragments[i] ?? '')
        const parameter = parameters[i]
        if (parameter) node(parameter)
      }
    } else if (isBoundValue(operation)) bind(operation.value)
    else if (isName(operation)) write(quotedName(operation.name))
    else renumbered(operation)
  }

  const renumbered = (operation: OperationNode): void => {
    const { sql: text, parameters } = new PostgresQueryCompiler().compileQuery(operation as RawNode, { queryId: 'fragment' })
    text.split(/\$(\d+)/).forEach((part, i) => (i % 2 === 0 ? write(part) : bind(parameters[Number(part) - 1])))
  }

  const writer: StatementWriter = {
    text(part) {
      write(part)
      return writer
    },
    value(value) {
      bind(value)
      return writer
    },
    fragment(fragment) {
      node(fragment.toOperationNode())
      return writer
    },
    get sql() {
      return (place.whole ??= wholeOf(place))
    },
    values,
  }
  return writer
}

/** A text as far as it goes, with what has ever followed it. */
interface Place {
  readonly before: Place | null
  readonly part: string
  readonly next: Map<string, Place>
  whole: string | null
}

const placesLimit = 50_000
let places = 0
let first: Place | null = null

/** Flows write a few hundred texts between them. Should texts ever vary without end, what is known of them is forgotten. */
const beginning = (): Place => {
  if (!first || places > placesLimit) {
    places = 0
    first = { before: null, part: '', next: new Map(), whole: null }
  }
  return first
}

const grown = (before: Place, part: string): Place => {
  const place: Place = { before, part, next: new Map(), whole: null }
  before.next.set(part, place)
  places += 1
  return place
}

const wholeOf = (last: Place): string => {
  const parts: string[] = []
  for (let place: Place | null = last; place; place = place.before) parts.push(place.part)
  return parts.reverse().join('')
}

const positions: string[] = []

export const isFragment = (value: unknown): value is Fragment => typeof value === 'object' && value !== null && 'toOperationNode' in value

export const quotedName = (name: string): string => remembered(quotedNames, name, (it) => `"${it.replaceAll('"', '""')}"`)

export const literal = (constant: string): string => remembered(literals, constant, (it) => `'${it.replaceAll("'", "''")}'::text`)

const remembered = (known: Map<string, string>, key: string, make: (key: string) => string): string => {
  const made = known.get(key) ?? make(key)
  if (known.size < namesLimit) known.set(key, made)
  return made
}

const namesLimit = 10_000
const quotedNames = new Map<string, string>()
const literals = new Map<string, string>()

const isRaw = (operation: OperationNode): operation is RawNode => operation.kind === 'RawNode'
const isName = (operation: OperationNode): operation is IdentifierNode => operation.kind === 'IdentifierNode'
const isBoundValue = (operation: OperationNode): operation is ValueNode =>
  operation.kind === 'ValueNode' && !('immediate' in operation && operation.immediate === true)
