import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { fragmentRunsOf } from './bmff-fragments.ts'
import { boxesOf, childOf } from './boxes.ts'
import { type Bytes, inside, partOf, stepsOf } from './bytes.ts'
import type { Span } from '../../../core/span.ts'
import { anyTextIn, namesPlace, saysPlace } from './place-words.ts'

const drawn: ReadonlySet<string> = new Set(['vide', 'soun', 'hint', 'tmcd', 'auxv', 'pict', 'subp', 'clcp', 'odsm', 'sdsm'])
const written: ReadonlySet<string> = new Set(['text', 'sbtl', 'subt'])

/**
 * True for a track that is not there to be seen or heard and may hold places: what cameras write beside a film (camm, gpmd, rtmd, Apple's
 * location) in forms of their own, or subtitles with coordinates. Apple's other timed notes stay unless everything goes.
 */
export const isPlaceTrack = (trak: Bytes, file: Bytes, policy: MetadataPolicy): boolean => {
  const mdia = childOf(trak, 'mdia')?.body
  const handler = handlerOf(mdia)
  if (!mdia || drawn.has(handler)) return false
  const stbl = tableOf(mdia)
  if (written.has(handler))
    return stbl !== null && [...runsOf(stbl)].some(({ start, end }) => anyTextIn(partOf(file, start, end), saysPlace))
  if (handler !== 'meta' || policy === 'strip') return true
  const entries = stbl && childOf(stbl, 'stsd')?.body
  if (!entries || entries.size < 8) return true
  for (const { type, body } of boxesOf(entries, 8)) if (type !== 'mebx' || namesIn(body).some(namesPlace)) return true
  return false
}

/** True for subtitles that say a place in fragments of `file`, of which the track's own tables know nothing. */
export const saysPlaceInFragments = (trak: Bytes, moov: Bytes, file: Bytes): boolean => {
  if (!written.has(handlerOf(childOf(trak, 'mdia')?.body))) return false
  for (const { start, end } of fragmentRunsOf(file, moov, trak)) if (anyTextIn(partOf(file, start, end), saysPlace)) return true
  return false
}

const handlerOf = (mdia: Bytes | undefined): string => {
  const hdlr = mdia && childOf(mdia, 'hdlr')?.body
  return hdlr && hdlr.size >= 12 ? hdlr.read(8, 4).toString('latin1') : ''
}

/** Overwrites what the track's tables point to. */
export const blankSamples = (trak: Bytes, file: Bytes): void => {
  const mdia = childOf(trak, 'mdia')?.body
  const stbl = mdia && tableOf(mdia)
  if (stbl) for (const { start, end } of runsOf(stbl)) file.fill(start, end, 0)
}

const tableOf = (mdia: Bytes): Bytes | null => {
  const minf = childOf(mdia, 'minf')?.body
  return (minf && childOf(minf, 'stbl')?.body) ?? null
}

/** The keys of Apple's timed notes; a name of a place where they cannot be read. */
const namesIn = (entry: Bytes): string[] => {
  const keys = childOf(entry, 'keys', 8)?.body
  if (!keys) return ['location']
  return [...boxesOf(keys)].map(({ body }) => {
    const declared = childOf(body, 'keyd')?.body
    return declared ? declared.read(0, Math.min(declared.size, 512)).toString('latin1') : 'location'
  })
}

/** Where a track's samples are, chunk by chunk. */
function* runsOf(stbl: Bytes): Generator<Span> {
  const chunks = childOf(stbl, 'stco')?.body
  const far = childOf(stbl, 'co64')?.body
  const offsets = chunks ? numbersIn(chunks, 8, 4, 4) : far ? numbersIn(far, 8, 4, 8) : null
  const groups = childOf(stbl, 'stsc')?.body
  const sizes = sizesOf(stbl)
  if (!offsets || !groups || !sizes) return
  const rows = numbersIn(groups, 8, 4, 4, 3)
  const row = (): { first: number; samples: number } => {
    const [first, samples] = [rows.next(), rows.next(), rows.next()].map(({ value }) => (typeof value === 'number' ? value : 0))
    return { first: first || Infinity, samples: samples ?? 0 }
  }
  let current = row()
  let next = row()
  let chunk = 0
  for (const start of offsets) {
    chunk += 1
    while (chunk >= next.first) {
      current = next
      next = row()
    }
    let end = start
    for (let sample = 0; sample < current.samples; sample += 1) {
      const { value, done } = sizes.next()
      if (done) {
        if (end > start) yield { start, end }
        return
      }
      end += value
    }
    yield { start, end }
  }
}

const sizesOf = (stbl: Bytes): Generator<number> | null => {
  const plain = childOf(stbl, 'stsz')?.body
  const compact = childOf(stbl, 'stz2')?.body
  if (compact) return compactSizes(compact)
  if (!plain || plain.size < 12) return null
  const same = plain.read(4, 4).readUInt32BE(0)
  return same === 0 ? numbersIn(plain, 12, 8, 4) : repeated(same, plain.read(8, 4).readUInt32BE(0))
}

/** More samples than a day of film has at the highest rates. */
const mostSamples = 16_777_216

function* repeated(value: number, count: number): Generator<number> {
  for (let index = 0; index < Math.min(count, mostSamples); index += 1) yield value
}

function* compactSizes(table: Bytes): Generator<number> {
  const width = table.size >= 12 ? (table.read(7, 1)[0] ?? 0) : 0
  if (width === 16) return yield* numbersIn(table, 12, 8, 2)
  if (width === 8) return yield* numbersIn(table, 12, 8, 1)
  if (width !== 4) return table.refuse()
  for (const pair of numbersIn(table, 12, 8, 1)) {
    yield pair >> 4
    yield pair & 15
  }
}

/** Numbers of one width; how many rows of them is said at `countAt`. No more than are there. */
function* numbersIn(table: Bytes, from: number, countAt: number, width: 1 | 2 | 4 | 8, perRow = 1): Generator<number> {
  if (!inside(countAt, 4, table.size)) return table.refuse()
  const wanted = table.read(countAt, 4).readUInt32BE(0) * perRow * width
  const end = from + Math.min(wanted, Math.max(0, table.size - from))
  for (const { chunk } of stepsOf(table, 0, from, end - ((end - from) % width)))
    for (let at = 0; at < chunk.length; at += width) yield width === 8 ? Number(chunk.readBigUInt64BE(at)) : chunk.readUIntBE(at, width)
}
