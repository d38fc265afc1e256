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

const when = /: (?:before|during|inside|after)$/
const parts = /\b(?:insert|update|delete) [a-z_]+|\b[a-z_]+\.[a-z_]+|\bjobs\b/g

/** What is done at a point, one by one, with who does it: how its parts come together depends on what was there before. */
export const partsOf = (point: string): readonly string[] => {
  const [who = ''] = point.split(':', 1)
  const what = point.slice(who.length + 2).replace(when, '')
  return (what.match(parts) ?? [what]).map((part) => `${who}: ${part}`)
}

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
