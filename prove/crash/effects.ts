/**
 * What a statement does to rows, for people: the moves that its history names, else the tables that it writes. Null for one that only looks,
 * and for what is said to a server but to no row.
 */
export const effectOf = (text: string): string | null => {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = nameOf(text)
  names.set(text, name)
  return name
}

/** Of a transaction: what its statements do, together. */
export const effectOfAll = (effects: readonly string[]): string => [...new Set(effects)].sort().join(', ')

const names = new Map<string, string | null>()

const writing = /\b(insert into|update|delete from)\s+(?:only\s+)?"?rindle(_queue)?"?\."?(\w+)"?/gi
const told = /'(\w+)'::text as entity, id, asset_id, (?:case when previous_state is null then '(\w+)'::text else )?'?(\w+)?/g

const nameOf = (text: string): string | null => {
  const moves = [...text.matchAll(told)].flatMap(([, entity, first, then]) => `${entity}.${then ?? first}`)
  const tables = [...text.matchAll(writing)].map(([, how = '', queue, table = '']) =>
    queue ? 'jobs' : `${how.split(' ')[0]?.toLowerCase()} ${table.replace(/^media_/, '')}`,
  )
  if (tables.length === 0) return null
  if (moves.length > 0) return [...new Set(moves)].join(' ')
  return [...new Set(tables)].join(' ')
}
