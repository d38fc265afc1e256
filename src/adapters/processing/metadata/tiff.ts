import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, firstAbove, isRefusal, partOf } from './bytes.ts'
import { stripIptc, stripPhotoshop } from './iptc.ts'
import { anyTextIn, saysPlace } from './place-words.ts'
import { actionOf, type Action, type IfdRole } from './tiff-tags.ts'
import { entriesOf, layoutOf, type Entry, type Layout, valuesOf } from './tiff-entries.ts'
import { stripXmp } from './xmp.ts'

/** What the walker of TIFF hands on. */
interface TiffForms {
  readonly picture: (bytes: Bytes) => void
}

type Run = readonly [start: number, end: number]

interface Walk {
  readonly bytes: Bytes
  readonly layout: Layout
  readonly policy: MetadataPolicy
  readonly forms: TiffForms
  readonly seen: Set<number>
  readonly erased: Set<number>
  /** Where pixels are, ascending and disjoint; what is blanked must not reach into them. Empty where the block holds none. */
  readonly pixels: readonly Run[]
}

/** Exif as it stands in other containers. What cannot be read is zero but for the orientation, and so is all of it under `strip`. */
export const stripExif = (bytes: Bytes, policy: MetadataPolicy, forms: TiffForms): void => {
  if (bytes.size < 8) return bytes.fill(0, bytes.size, 0)
  if (policy === 'strip') return reduceToOrientation(bytes)
  try {
    walkFrom(bytes, policy, forms, 'embedded')
  } catch (err) {
    if (!isRefusal(err)) throw err
    reduceToOrientation(bytes)
  }
}

/** A TIFF file: all of its pages. @throws RindleError `metadata_not_removable` */
export const stripTiffFile = (bytes: Bytes, policy: MetadataPolicy, forms: TiffForms): void => walkFrom(bytes, policy, forms, 'image')

const walkFrom = (bytes: Bytes, policy: MetadataPolicy, forms: TiffForms, role: IfdRole): void => {
  const layout = layoutOf(bytes) ?? bytes.refuse()
  const pixels = role === 'image' ? pixelsIn(bytes, layout) : []
  const walk: Walk = { bytes, layout, policy, forms, seen: new Set(), erased: new Set(), pixels }
  walkChain(walk, layout.first, role, 0)
}

const deepest = 8

const walkChain = (walk: Walk, first: number, role: IfdRole, depth: number): void => {
  if (depth > deepest) walk.bytes.refuse()
  // A link that leads out of the file ends the list for every reader.
  for (let at = first; at !== 0 && !walk.seen.has(at) && (at === first || at < walk.bytes.size);) {
    walk.seen.add(at)
    at = walkIfd(walk, at, role, depth)
  }
}

/** @returns where the next directory of the chain is, or 0. */
const walkIfd = (walk: Walk, at: number, role: IfdRole, depth: number): number => {
  const { bytes, layout } = walk
  const entries = entriesOf(bytes, layout, at) ?? bytes.refuse()
  const table = at + layout.countBytes
  const end = table + entries.length * layout.entryBytes
  const next = layout.offsetAt(bytes, end)
  const kept = entries.filter((entry) => keeps(walk, entry, role, depth))
  if (kept.length < entries.length) {
    const rows = Buffer.concat([...kept.map(({ row }) => row), layout.offset(next)])
    bytes.write(at, layout.count(kept.length))
    bytes.write(table, rows)
    bytes.fill(table + rows.length, end + layout.offsetBytes, 0)
  }
  return next
}

/** Blanks what the entry refers to when it goes. @returns whether the entry stays */
const keeps = (walk: Walk, entry: Entry, role: IfdRole, depth: number): boolean => {
  const { bytes, policy, forms } = walk
  const action = actionOf(entry, role, policy)
  if (action === 'keep') return true
  if (typeof action === 'object') {
    for (const child of valuesOf(bytes, walk.layout, entry).slice(0, 64)) walkChain(walk, child, action.walk, depth + 1)
    return true
  }
  if (action === 'erase-ifd') {
    for (const child of valuesOf(bytes, walk.layout, entry).slice(0, 64)) eraseIfd(walk, child)
    return false
  }
  const value = partOf(bytes, entry.start, entry.start + entry.length)
  if (action === 'drop' || (action === 'text' && anyTextIn(value, saysPlace)) || (action === 'maker-note' && !isApple(value))) {
    blank(walk, entry)
    return false
  }
  guard(walk, entry, action)
  if (action === 'xmp') stripXmp(value, policy)
  if (action === 'iptc') stripIptc(value, policy)
  if (action === 'photoshop')
    stripPhotoshop(value, policy, {
      exif: (held) => stripExif(held, policy, forms),
      xmp: (held) => stripXmp(held, policy),
      picture: forms.picture,
    })
  if (action === 'thumbnail') forms.picture(thumbnailOf(walk, entry))
  return true
}

/** Apple's notes are needed to show its gain maps and hold no place; others are opaque, and several makers write city or coordinates there. */
const isApple = (value: Bytes): boolean => value.size >= 10 && value.read(0, 10).toString('latin1') === 'Apple iOS\0'

const thumbnailOf = ({ bytes, layout }: Walk, entry: Entry): Bytes => {
  const [start = 0] = valuesOf(bytes, layout, entry)
  return partOf(bytes, start)
}

const blank = (walk: Walk, entry: Entry): void => {
  if (entry.inline) return
  guard(walk, entry, 'drop')
  walk.bytes.fill(entry.start, entry.start + entry.length, 0)
}

/** What overlaps pixels is not touched: the file is refused instead of damaged. */
const guard = ({ bytes, pixels }: Walk, { start, length, inline }: Entry, action: Action): void => {
  if (inline || action === 'text' || action === 'thumbnail' || action === 'maker-note' || pixels.length === 0) return
  const first = pixels[firstAbove(pixels, start, ([, end]) => end)]
  if (first && first[0] < start + length) bytes.refuse()
}

const eraseIfd = (walk: Walk, at: number): void => {
  const { bytes, layout, seen, erased } = walk
  if (seen.has(at) || erased.has(at)) return
  erased.add(at)
  const entries = entriesOf(bytes, layout, at)
  if (!entries) return bytes.fill(at, at + layout.countBytes, 0)
  for (const entry of entries) {
    if (pointsTo.has(entry.tag)) for (const child of valuesOf(bytes, layout, entry).slice(0, 8)) eraseIfd(walk, child)
    blank(walk, entry)
  }
  const length = layout.countBytes + entries.length * layout.entryBytes + layout.offsetBytes
  guard(walk, { ...firstOf(entries, at), start: at, length, inline: false }, 'drop')
  bytes.fill(at, at + length, 0)
}

const pointsTo: ReadonlySet<number> = new Set([0x8769, 0x8825, 0xa005])

const firstOf = (entries: readonly Entry[], at: number): Entry =>
  entries[0] ?? { tag: 0, type: 0, count: 0, length: 0, start: at, inline: true, row: Buffer.alloc(0) }

/** Where strips and tiles begin, and how long they are. */
const pixelTags = [
  [273, 279],
  [324, 325],
] as const

const pixelsIn = (bytes: Bytes, layout: Layout): Run[] => {
  const seen = new Set<number>()
  const waiting = [layout.first]
  const runs: Run[] = []
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    if (at === 0 || seen.has(at)) continue
    seen.add(at)
    const entries = entriesOf(bytes, layout, at)
    if (!entries) continue
    waiting.push(layout.offsetAt(bytes, at + layout.countBytes + entries.length * layout.entryBytes))
    for (const entry of entries) if (entry.tag === 330) waiting.push(...valuesOf(bytes, layout, entry).slice(0, 64))
    for (const [startsTag, lengthsTag] of pixelTags) {
      const starts = entries.find(({ tag }) => tag === startsTag)
      const lengths = entries.find(({ tag }) => tag === lengthsTag)
      if (!starts || !lengths) continue
      const sizes = valuesOf(bytes, layout, lengths)
      for (const [index, start] of valuesOf(bytes, layout, starts).entries()) runs.push([start, start + (sizes[index] ?? 0)])
    }
  }
  return joinedRuns(runs)
}

const joinedRuns = (runs: Run[]): Run[] => {
  const found: Run[] = []
  for (const [start, end] of runs.sort(([one], [other]) => one - other)) {
    const last = found.at(-1)
    if (last && start <= last[1]) found[found.length - 1] = [last[0], Math.max(last[1], end)]
    else found.push([start, end])
  }
  return found
}

/** The whole block zero but for a directory of one entry: how the picture stands. */
const reduceToOrientation = (bytes: Bytes): void => {
  if (bytes.size < 26) return bytes.fill(0, bytes.size, 0)
  const orientation = orientationOf(bytes) ?? upright
  const head = Buffer.alloc(26)
  head.write('MM\0*', 0, 'latin1')
  head.writeUInt32BE(8, 4)
  head.writeUInt16BE(1, 8)
  head.writeUInt16BE(0x0112, 10)
  head.writeUInt16BE(3, 12)
  head.writeUInt32BE(1, 14)
  head.writeUInt16BE(orientation, 18)
  bytes.write(0, head)
  bytes.fill(26, bytes.size, 0)
}

const upright = 1

const orientationOf = (bytes: Bytes): number | null => {
  const layout = layoutOf(bytes)
  const entry = layout && entriesOf(bytes, layout, layout.first)?.find(({ tag }) => tag === 0x0112)
  const [value] = entry ? valuesOf(bytes, layout, entry) : []
  return value !== undefined && value >= 1 && value <= 8 ? value : null
}
