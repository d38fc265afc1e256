import { migrations } from './migrations/index.ts'

type Parse = (text: string) => unknown

const parseBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.slice(2), 'hex'))

/** PostgreSQL's ISO form, with any offset. */
const parseTime = (text: string): Date => {
  if (text === 'infinity') return new Date(8.64e15)
  if (text === '-infinity') return new Date(-8.64e15)
  const zoned = text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')
  return new Date(zoned)
}

/** An array of one dimension; elements that hold commas, quotes or braces are quoted. */
const parseArray =
  (element: Parse): Parse =>
  (text) =>
    [...text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^,]+)/g)].map(([, quoted, bare]) => {
      if (quoted !== undefined) return element(quoted.replaceAll(/\\(.)/g, '$1'))
      return bare === 'NULL' || bare === undefined ? null : element(bare)
    })

const asText: Parse = (text) => text

/** How each type that our statements return is read from PostgreSQL's text, by its OID. What is not here stays text. */
export const parsers: Readonly<Record<number, Parse>> = {
  16: (text) => text === 't' || text === 'true',
  17: parseBytes,
  20: Number,
  21: Number,
  23: Number,
  26: Number,
  114: (text) => JSON.parse(text),
  700: Number,
  701: Number,
  1000: parseArray((text) => text === 't'),
  1005: parseArray(Number),
  1007: parseArray(Number),
  1009: parseArray(asText),
  1015: parseArray(asText),
  1016: parseArray(Number),
  1184: parseTime,
  2951: parseArray(asText),
  3802: (text) => JSON.parse(text),
}

/** For drivers that take a look-up. */
export const parserOf = (oid: number): Parse => parsers[oid] ?? asText

type Row = Readonly<Record<string, unknown>>
type Kind = 'number' | 'time' | 'bytes' | 'json'

const kindOfOid: Readonly<Record<number, Kind>> = { 17: 'bytes', 20: 'number', 114: 'json', 1184: 'time', 3802: 'json' }
const kindOfType: Readonly<Record<string, Kind>> = { bigint: 'number', timestamptz: 'time', bytea: 'bytes', jsonb: 'json' }

/** Rows of a carrier that parsed them in its own way, brought to the common form by the types it names. */
export const rowsByType = (
  rows: readonly Row[],
  fields: readonly { readonly name: string; readonly dataTypeID: number }[],
): readonly Row[] => {
  const kinds = new Map(fields.map(({ name, dataTypeID }) => [name, kindOfOid[dataTypeID]]))
  return rows.map((row) => mapped(row, (name) => kinds.get(name)))
}

/**
 * Rows of a carrier that names no types: columns are known by their names in the schema, snake_case or camelCase, and counts by ending
 * in `count`. A bigint under another alias comes as its carrier gives it: cast it to integer.
 */
export const rowsByName = (rows: readonly Row[]): readonly Row[] => rows.map((row) => mapped(row, kindOfName))

const mapped = (row: Row, kindOf: (name: string) => Kind | undefined): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, coerced(value, kindOf(name))]))

const coerced = (value: unknown, kind: Kind | undefined): unknown => {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return value.constructor === Uint8Array ? value : new Uint8Array(value)
  if (kind === undefined) return value
  if (kind === 'time') return typeof value === 'string' ? parseTime(value) : value instanceof Date ? value : new Date(Number(value))
  if (kind === 'number') return Number(value)
  if (kind === 'bytes') return typeof value === 'string' ? parseBytes(value) : value
  return typeof value === 'string' ? parsedJson(value) : value
}

/** A JSON string looks like any other once a driver has parsed it. */
const parsedJson = (value: string): unknown => {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Read off the migrations, so that a new column is known without another list. */
const readColumns = (): ReadonlyMap<string, Kind> => {
  const columns = new Map<string, Kind>()
  for (const { sql } of migrations) {
    for (const [, name, type] of sql.matchAll(/(?:^ {2}|add column )(\w+) (bigint|timestamptz|bytea|jsonb)\b/gm)) {
      const kind = kindOfType[type ?? '']
      if (name && kind) columns.set(name, kind).set(camel(name), kind)
    }
  }
  return columns
}

let columns: ReadonlyMap<string, Kind> | null = null

const kindOfName = (name: string): Kind | undefined => {
  columns ??= readColumns()
  return columns.get(name) ?? (/(^c|_c|C)ount$/.test(name) ? 'number' : undefined)
}
