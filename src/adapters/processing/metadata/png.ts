import { crc32, inflateSync } from 'node:zlib'
import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, bytesIn, isRefusal, partOf, stepsOf } from './bytes.ts'
import { stripPhotoshop, stripIptc } from './iptc.ts'
import { stripEmbeddedJpeg } from './jpeg.ts'
import { namesPlace, saysPlace, xmpSaysPlace } from './place-words.ts'
import { stripExif } from './tiff.ts'
import { stripTrailer } from './trailer.ts'
import { stripXmp } from './xmp.ts'

interface Chunk {
  readonly type: string
  /** Of the whole chunk: length, type, content and check sum. */
  readonly start: number
  readonly content: Bytes
}

/** Chunks that draw the picture and hold no text; `iDOT` is Apple's own way of decoding faster. */
const drawing: ReadonlySet<string> = new Set(
  'IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCv mDCV cLLi cLLI sBIT bKGD hIST pHYs sPLT acTL fcTL fdAT iDOT sTER oFFs sCAL pCAL gIFg gIFx'.split(
    ' ',
  ),
)

/** A PNG file, animated or not. @throws RindleError `metadata_not_removable` */
export const stripPng = (bytes: Bytes, policy: MetadataPolicy): void => {
  let at = 8
  while (at + 12 <= bytes.size) {
    bytes.budget.piece()
    const head = bytes.read(at, 8)
    const length = head.readUInt32BE(0)
    const type = head.toString('latin1', 4)
    // A picture that is cut is the decoder's to judge; nothing stands behind it.
    if (at + 12 + length > bytes.size) return type === 'IDAT' || type === 'fdAT' ? undefined : bytes.refuse()
    stripChunk(bytes, { type, start: at, content: partOf(bytes, at + 8, at + 8 + length) }, policy)
    at += 12 + length
    if (type === 'IEND') return stripTrailer(bytes, at, policy)
  }
}

const stripChunk = (bytes: Bytes, chunk: Chunk, policy: MetadataPolicy): void => {
  const { type, content } = chunk
  if (drawing.has(type)) return
  if (type === 'eXIf') {
    const prefixed = content.size >= 6 && content.read(0, 4).toString('latin1') === 'Exif'
    stripExif(prefixed ? partOf(content, 6) : content, policy, { picture: stripEmbeddedJpeg(policy) })
    return sign(bytes, chunk)
  }
  const isText = type === 'tEXt' || type === 'zTXt' || type === 'iTXt'
  if (policy !== 'strip' && type === 'tIME') return
  if (policy !== 'strip' && isText && staysAsText(bytes, chunk, policy)) return sign(bytes, chunk)
  replace(bytes, chunk)
}

const blankText = Buffer.from('Blank\0', 'latin1')

/** A chunk that may not stay becomes a text of spaces; one too short for that is too short for a place. */
const replace = (bytes: Bytes, chunk: Chunk): void => {
  const { start, content } = chunk
  if (content.size < blankText.length) content.fill(0, content.size, 0)
  else {
    bytes.write(start + 4, Buffer.from('tEXt', 'latin1'))
    content.write(0, blankText)
    content.fill(blankText.length, content.size, 0x20)
  }
  sign(bytes, chunk)
}

/** Writes the check sum of what a chunk holds now; one that was wrong before stays so where nothing changed. */
const sign = (bytes: Bytes, { start, content }: Chunk): void => {
  let sum = 0
  for (const { chunk } of stepsOf(partOf(bytes, start + 4, start + 8 + content.size))) sum = crc32(chunk, sum)
  const field = Buffer.alloc(4)
  field.writeUInt32BE(sum >>> 0)
  bytes.write(start + 8 + content.size, field)
}

const longestKeyword = 80
/** Longer texts than this are not looked through but go. */
const mostTextBytes = 16_777_216

const staysAsText = (bytes: Bytes, { type, content }: Chunk, policy: MetadataPolicy): boolean => {
  const head = content.read(0, Math.min(longestKeyword, content.size))
  const end = head.indexOf(0)
  if (end < 0) return false
  const keyword = head.toString('latin1', 0, end)
  if (namesPlace(keyword)) return false
  const body = partOf(content, end + 1)
  if (type === 'iTXt' && keyword === 'XML:com.adobe.xmp') {
    const packet = plainPartOf(body)
    if (packet) stripXmp(packet, policy)
    return packet !== null
  }
  const text = textOf(type, body)
  if (text === null || saysPlace(text.toString('latin1'))) return false
  return /^raw profile type /i.test(keyword)
    ? profileStays(keyword, text, bytes)
    : !/xmp/i.test(keyword) || !xmpSaysPlace(text.toString('latin1'))
}

/** The uncompressed text of an international chunk; null for a compressed one. */
const plainPartOf = (body: Bytes): Bytes | null => {
  const head = body.read(0, Math.min(512, body.size))
  const language = head.indexOf(0, 2)
  const translated = language < 0 ? -1 : head.indexOf(0, language + 1)
  return translated < 0 || head[0] !== 0 ? null : partOf(body, translated + 1)
}

/** @returns null for what cannot be read, or not within bounds. */
const textOf = (type: string, body: Bytes): Buffer | null => {
  if (body.size > mostTextBytes) return null
  const held = body.read(0, body.size)
  if (type === 'tEXt') return held
  if (type === 'zTXt') return inflated(held.subarray(1), body)
  const language = held.indexOf(0, 2)
  const translated = language < 0 ? -1 : held.indexOf(0, language + 1)
  if (translated < 0) return null
  return held[0] === 0 ? held.subarray(translated + 1) : inflated(held.subarray(translated + 1), body)
}

const inflated = (held: Buffer, { budget }: Bytes): Buffer | null => {
  const most = Math.min(mostTextBytes, budget.inflatable)
  if (most === 0) return null
  budget.inflatable -= most
  try {
    const text = inflateSync(held, { maxOutputLength: most })
    budget.inflatable += most - text.length
    return text
  } catch {
    return null
  }
}

/** A profile as ImageMagick writes it, in hexadecimal digits. It stays only if a walk through it changes nothing. */
const profileStays = (keyword: string, text: Buffer, whole: Bytes): boolean => {
  const kind = keyword.slice('raw profile type '.length).trim().toLowerCase()
  if (kind === 'icc' || kind === 'icm') return true
  const digits = /^\s*\S+\s+\d+\s([\da-f\s]*)$/i.exec(text.toString('latin1'))?.[1]
  if (digits === undefined) return false
  const held = Buffer.from(digits.replace(/\s+/g, ''), 'hex')
  const from = /^Exif\0/.test(held.toString('latin1', 0, 5)) ? 6 : 0
  const profile = bytesIn(Buffer.from(held.subarray(from)), whole)
  const forms = {
    exif: (part: Bytes) => stripExif(part, 'strip-location', still),
    xmp: (part: Bytes) => stripXmp(part, 'strip-location'),
    ...still,
  }
  try {
    if (/xmp/.test(kind) || held.includes('http://ns.adobe.com/xap')) stripXmp(profile, 'strip-location')
    else if (kind === 'exif' || kind === 'app1') stripExif(profile, 'strip-location', still)
    else if (kind === '8bim' || (kind === 'iptc' && held.toString('latin1', 0, 4) === '8BIM'))
      stripPhotoshop(profile, 'strip-location', forms)
    else if (kind === 'iptc') stripIptc(profile, 'strip-location')
    else return false
  } catch (err) {
    if (!isRefusal(err)) throw err
    return false
  }
  return !profile.changed
}

const still = { picture: stripEmbeddedJpeg('strip-location') }
