import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, isRefusal, joined, partOf, stepBytes } from './bytes.ts'
import { stripPhotoshop } from './iptc.ts'
import { anyTextIn, saysPlace, xmpSaysPlace } from './place-words.ts'
import { stripExif } from './tiff.ts'
import { emptyXmp, stripXmp } from './xmp.ts'

interface Segment {
  readonly marker: number
  readonly body: Bytes
  /** What it begins with, for telling what it is. */
  readonly name: string
}

const xmpName = 'http://ns.adobe.com/xap/1.0/\0'
const extendedName = 'http://ns.adobe.com/xmp/extension/\0'
const longestName = 40
/** After the name of an extension: a digest of all of it, its length and where this part belongs. */
const extendedHead = extendedName.length + 40

/** Application segments that draw the picture, and hold no place. */
const drawing: readonly (readonly [marker: number, name: string])[] = [
  [0xe0, 'JFIF\0'],
  [0xe2, 'ICC_PROFILE\0'],
  [0xe2, 'MPF\0'],
  [0xe2, 'urn:iso:std:iso:ts:21496:-1\0'],
  [0xee, 'Adobe'],
]

/** A JPEG within something else, which needs not be whole. What cannot be read of it is zero. */
export const stripEmbeddedJpeg =
  (policy: MetadataPolicy) =>
  (bytes: Bytes): void => {
    try {
      stripJpeg(bytes, policy)
    } catch (err) {
      if (!isRefusal(err)) throw err
      bytes.fill(0, bytes.size, 0)
    }
  }

/** One JPEG picture. @returns where it ends. */
export const stripJpeg = (bytes: Bytes, policy: MetadataPolicy): number => {
  if (bytes.size < 4 || bytes.read(0, 2).readUInt16BE(0) !== 0xffd8) return bytes.refuse()
  const { segments, end } = segmentsOf(bytes)
  stripJoined(segments, bytes, policy)
  for (const segment of segments) stripSegment(segment, policy)
  return end
}

const segmentsOf = (bytes: Bytes): { segments: Segment[]; end: number } => {
  const segments: Segment[] = []
  for (let at = nextMarker(bytes, 2); at < bytes.size;) {
    const marker = bytes.read(at, 1)[0] ?? 0
    if (marker === 0xd9) return { segments, end: at + 1 }
    if (marker === 0xd8) {
      at = nextMarker(bytes, at + 1)
      continue
    }
    bytes.budget.piece()
    const length = bytes.read(at + 1, 2).readUInt16BE(0)
    if (length < 2 || at + 1 + length > bytes.size) return bytes.refuse()
    const body = partOf(bytes, at + 3, at + 1 + length)
    if ((marker >= 0xe0 && marker <= 0xef) || marker === 0xfe)
      segments.push({ marker, body, name: body.read(0, Math.min(longestName, body.size)).toString('latin1') })
    at = nextMarker(bytes, at + 1 + length)
  }
  return { segments, end: bytes.size }
}

/** Where the code of the next marker stands, that of a restart or a stuffed byte left aside; the size where there is none. */
const nextMarker = (bytes: Bytes, from: number): number => {
  for (let at = from; at + 1 < bytes.size;) {
    const near = at === from ? 2 : stepBytes
    const chunk = bytes.read(at, Math.min(near, bytes.size - at))
    let found = chunk.indexOf(0xff)
    while (found >= 0 && found + 1 < chunk.length) {
      const code = chunk[found + 1] ?? 0
      if (code > 0x01 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7)) return at + found + 1
      found = chunk.indexOf(0xff, found + 1)
    }
    at += found >= 0 && found > 0 ? found : found === 0 ? 1 : chunk.length
    if (found === 0 && chunk.length === 1) break
  }
  return bytes.size
}

/** What is spread over segments is looked at as a whole. */
const stripJoined = (segments: readonly Segment[], bytes: Bytes, policy: MetadataPolicy): void => {
  const exif: Bytes[][] = []
  for (const { body } of segments.filter(isExif)) {
    const part = partOf(body, 6)
    const begins = part.size >= 2 && /^(?:II|MM)$/.test(part.read(0, 2).toString('latin1'))
    if (begins || exif.length === 0) exif.push([part])
    else exif.at(-1)?.push(part)
  }
  for (const parts of exif) stripExif(joined(parts, bytes), policy, { picture: stripEmbeddedJpeg(policy) })

  const main = segments.filter(isXmp).map(({ body }) => partOf(body, xmpName.length))
  const extended = segments
    .filter(isExtended)
    .map(({ body }) => ({ body, offset: body.size >= extendedHead ? body.read(extendedHead - 4, 4).readUInt32BE(0) : 0 }))
  const parts = extended.sort((one, other) => one.offset - other.offset).map(({ body }) => partOf(body, extendedHead))
  const further = joined(parts, bytes)
  const places = policy !== 'strip' && [...main, further].some((packet) => anyTextIn(packet, xmpSaysPlace))
  for (const packet of main) places ? emptyXmp(packet) : stripXmp(packet, policy)
  if (places || policy === 'strip') for (const { body } of extended) body.fill(0, body.size, 0)
  else if (further.size > 0) stripXmp(further, policy)

  const photoshop = segments.filter(isPhotoshop).map(({ body }) => partOf(body, 14))
  stripPhotoshop(joined(photoshop, bytes), policy, {
    exif: (held) => stripExif(held, policy, { picture: stripEmbeddedJpeg(policy) }),
    xmp: (held) => stripXmp(held, policy),
    picture: stripEmbeddedJpeg(policy),
  })
}

const isExif = ({ marker, name }: Segment): boolean => marker === 0xe1 && /^Exif\0[\0\xff]/.test(name)
const isXmp = ({ marker, name }: Segment): boolean => marker === 0xe1 && name.startsWith(xmpName)
const isExtended = ({ marker, name }: Segment): boolean => marker === 0xe1 && name.startsWith(extendedName)
const isPhotoshop = ({ marker, name }: Segment): boolean => marker === 0xed && name.startsWith('Photoshop 3.0\0')

/** A comment stays unless it says a place; an application segment that is not known here may hold one in a form of its own, and is zero. */
const stripSegment = (segment: Segment, policy: MetadataPolicy): void => {
  const { marker, name, body } = segment
  if (isExif(segment) || isXmp(segment) || isExtended(segment) || (isPhotoshop(segment) && policy !== 'strip')) return
  if (drawing.some(([of, begins]) => of === marker && name.startsWith(begins))) return
  const harmless = marker === 0xfe || (marker === 0xec && name.startsWith('Ducky')) || (marker === 0xeb && /^JP|^HDR_RI/.test(name))
  if (policy === 'strip' || !harmless || anyTextIn(body, saysPlace)) body.fill(0, body.size, 0)
}
