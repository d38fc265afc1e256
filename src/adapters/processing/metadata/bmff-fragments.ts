import { type Box, boxAt, boxesOf, childOf } from './boxes.ts'
import { type Bytes, inside } from './bytes.ts'
import type { Span } from '../../../core/span.ts'

/** Where the samples of one track are that stand in fragments, run by run. @throws RindleError `metadata_not_removable` */
export function* fragmentRunsOf(file: Bytes, moov: Bytes, trak: Bytes): Generator<Span> {
  const trackId = trackIdOf(trak)
  const usualBytes = usualBytesIn(moov, trackId)
  for (const moof of topmost(file, 'moof')) {
    // A fragment that does not say where its samples stand goes on where the one before it ended.
    let start = moof.start
    for (const traf of boxesOf(moof.body)) {
      if (traf.type !== 'traf') continue
      const head = headerOf(traf.body, { moofStart: moof.start, usualBytes })
      if (!head) continue
      const base = head.base ?? start
      start = base
      for (const trun of boxesOf(traf.body)) {
        if (trun.type !== 'trun') continue
        const run = runIn(trun.body, base, start, head.bytes)
        if (head.trackId === trackId) yield run
        start = run.end
      }
    }
  }
}

function* topmost(file: Bytes, type: string): Generator<Box> {
  for (let box = boxAt(file, 0); box; box = boxAt(file, box.end)) if (box.type === type) yield box
}

const trackIdOf = (trak: Bytes): number => {
  const tkhd = childOf(trak, 'tkhd')?.body ?? trak.refuse()
  return tkhd.read(tkhd.read(0, 1)[0] === 1 ? 20 : 12, 4).readUInt32BE(0)
}

const usualBytesIn = (moov: Bytes, trackId: number): number => {
  const mvex = childOf(moov, 'mvex')?.body
  if (mvex)
    for (const { type, body } of boxesOf(mvex))
      if (type === 'trex' && body.size >= 20 && body.read(4, 4).readUInt32BE(0) === trackId) return body.read(16, 4).readUInt32BE(0)
  return 0
}

interface FragmentHeader {
  readonly trackId: number
  /** Null where it goes on behind the fragment before it. */
  readonly base: number | null
  /** Of each sample that does not say it. */
  readonly bytes: number
}

const headerOf = (
  traf: Bytes,
  { moofStart, usualBytes }: { readonly moofStart: number; readonly usualBytes: number },
): FragmentHeader | null => {
  const tfhd = childOf(traf, 'tfhd')?.body
  if (!tfhd) return null
  const flags = tfhd.read(0, 4).readUIntBE(1, 3)
  let next = 8
  const field = (flag: number, width: number): Buffer | null => {
    if ((flags & flag) === 0) return null
    next += width
    return tfhd.read(next - width, width)
  }
  const base = field(0x1, 8)
  field(0x2, 4)
  field(0x8, 4)
  const bytes = field(0x10, 4)?.readUInt32BE(0) ?? usualBytes
  return {
    trackId: tfhd.read(4, 4).readUInt32BE(0),
    base: base ? Number(base.readBigUInt64BE(0)) : (flags & 0x20000) !== 0 ? moofStart : null,
    bytes,
  }
}

/** A run of samples: each may say how long it is, behind or before other fields of four bytes. */
const runIn = (trun: Bytes, base: number, goesOnAt: number, usualBytes: number): Span => {
  const head = trun.read(0, 8)
  const [flags, count] = [head.readUIntBE(1, 3), head.readUInt32BE(4)]
  const hasOffset = (flags & 0x1) !== 0
  const start = hasOffset ? base + trun.read(8, 4).readInt32BE(0) : goesOnAt
  if ((flags & 0x200) === 0) return { start, end: start + count * usualBytes }
  const rows = 8 + (hasOffset ? 4 : 0) + (flags & 0x4 ? 4 : 0)
  const perRow = [0x100, 0x200, 0x400, 0x800].filter((flag) => (flags & flag) !== 0).length * 4
  const sizeAt = flags & 0x100 ? 4 : 0
  if (!inside(rows, count * perRow, trun.size)) return trun.refuse()
  const table = trun.read(rows, count * perRow)
  let end = start
  for (let at = sizeAt; at < table.length; at += perRow) end += table.readUInt32BE(at)
  return { start, end }
}
