import type { ByteRange } from '../../core/ports/storage.ts'

/**
 * The one range of bytes that a Range header asks for, cut at the end of the object. Null where the whole is to be answered: no
 * header, another unit, several ranges, or nonsense. `unsatisfiable` where no byte of it exists.
 *
 * @see RFC 9110, section 14
 */
export const rangeOf = (header: string | null, sizeBytes: number): ByteRange | 'unsatisfiable' | null => {
  const parts = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '')
  if (!parts) return null
  const [, first = '', last = ''] = parts
  if (first === '' && last === '') return null
  if (first === '') return suffixOf(Number(last), sizeBytes)
  const start = Number(first)
  const end = last === '' ? sizeBytes - 1 : Number(last)
  if (last !== '' && end < start) return null
  return start < sizeBytes ? { start, end: Math.min(end, sizeBytes - 1) } : 'unsatisfiable'
}

const suffixOf = (lengthBytes: number, sizeBytes: number): ByteRange | 'unsatisfiable' =>
  lengthBytes > 0 && sizeBytes > 0 ? { start: Math.max(0, sizeBytes - lengthBytes), end: sizeBytes - 1 } : 'unsatisfiable'

/** True when a list of entity tags, as in If-None-Match, names this one; weak ones count. */
export const namesEtag = (list: string | null, etag: string): boolean =>
  list !== null && (list.trim() === '*' || list.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))

/** True when an If-Range header lets the range stand: there is none, or it is this very tag. A date never is. */
export const rangeStands = (ifRange: string | null, etag: string): boolean => ifRange === null || ifRange.trim() === etag
