import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, bytesIn } from './bytes.ts'
import { stripGif } from './gif.ts'
import { saysPlace } from './place-words.ts'
import { stripPng } from './png.ts'
import { stripJpegFile } from './trailer.ts'
import { stripWebp } from './webp.ts'

/** Larger drawings are refused by whoever draws them. */
const mostBytes = 67_108_864

const pictures: Readonly<Record<string, (bytes: Bytes, policy: MetadataPolicy) => void>> = {
  jpeg: stripJpegFile,
  jpg: stripJpegFile,
  png: stripPng,
  webp: stripWebp,
  gif: stripGif,
}

/** An SVG in an encoding based on ASCII: its metadata elements, comments, and the pictures embedded in it. @throws RindleError `metadata_not_removable` */
export const stripSvg = (bytes: Bytes, policy: MetadataPolicy): void => {
  if (bytes.size > mostBytes) return bytes.refuse()
  const text = bytes.read(0, bytes.size).toString('latin1')
  if (text.includes('\0')) return bytes.refuse()
  for (const { start, end } of elementsOf(text) ?? bytes.refuse()) bytes.fill(start, end, 0x20)
  for (const { start, end } of commentsOf(text) ?? bytes.refuse())
    if (policy === 'strip' || saysPlace(text.slice(start, end))) bytes.fill(start, end, 0x20)
  for (const found of text.matchAll(/data:\s*image\/(jpe?g|png|webp|gif)\s*(?:;[^,"']{0,100})?;\s*base64\s*,([A-Za-z0-9+/=\s]*)/gi)) {
    const [whole, type = '', base64 = ''] = found
    const picture = bytesIn(Buffer.from(base64, 'base64'), bytes)
    pictures[type.toLowerCase()]?.(picture, policy)
    if (!picture.changed) continue
    const written = picture.read(0, picture.size).toString('base64')
    if (written.length !== base64.length) return bytes.refuse()
    bytes.write(found.index + whole.length - base64.length, Buffer.from(written, 'latin1'))
  }
}

interface Part {
  readonly start: number
  readonly end: number
}

/** From each beginning of a metadata element to its end, or to that of the outermost where they are nested; null where one does not end. */
const elementsOf = (text: string): Part[] | null => {
  const parts: Part[] = []
  const marks = /<(\/?)(?:[\w.-]+:)?metadata(?=[\s/>])[^<>]*>/gi
  let depth = 0
  let start = 0
  for (const found of text.matchAll(marks)) {
    if (found[0].endsWith('/>')) continue
    if (found[1] === '') {
      if (depth === 0) start = found.index
      depth += 1
    } else if (depth > 0) {
      depth -= 1
      if (depth === 0) parts.push({ start, end: found.index + found[0].length })
    }
  }
  return depth === 0 ? parts : null
}

const commentsOf = (text: string): Part[] | null => {
  const parts: Part[] = []
  for (let start = text.indexOf('<!--'); start >= 0;) {
    const close = text.indexOf('-->', start + 4)
    if (close < 0) return null
    parts.push({ start, end: close + 3 })
    start = text.indexOf('<!--', close + 3)
  }
  return parts
}
