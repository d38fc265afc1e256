import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Bytes, stepsOf } from './bytes.ts'
import { anyTextIn, xmpSaysPlace } from './place-words.ts'

const emptyPacket = Buffer.from(
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>',
)

/**
 * Empties an XMP packet that holds a place, or any that is not needed to draw. It goes as a whole: what refers to a place in other words
 * (a history, a nested thumbnail) goes with it. What is left is a packet without properties, padded with spaces.
 */
export const stripXmp = (bytes: Bytes, policy: MetadataPolicy): void => {
  if (policy === 'strip' ? !onlyDraws(bytes) : anyTextIn(bytes, xmpSaysPlace) || hidesPictures(bytes)) emptyXmp(bytes)
}

export const emptyXmp = (bytes: Bytes): void => {
  const start = bytes.size >= emptyPacket.length ? emptyPacket.length : 0
  if (start > 0) bytes.write(0, emptyPacket)
  bytes.fill(start, bytes.size, 0x20)
}

/** A picture in base64, which may have metadata of its own. */
const hidesPictures = (bytes: Bytes): boolean =>
  anyTextIn(bytes, (text) => [...text.matchAll(/\/9j\/[A-Za-z0-9+/\s]{24,}/g)].some(([base64]) => holdsMetadata(base64)))

const holdsMetadata = (base64: string): boolean =>
  /Exif\0\0|ns\.adobe\.com|Photoshop 3\.0/.test(Buffer.from(base64, 'base64').toString('latin1'))

const drawingPrefixes: ReadonlySet<string> = new Set(['x', 'xml', 'xmlns', 'rdf', 'hdrgm', 'Container', 'Item', 'HDRGainMap', 'GPano'])
const mostDrawingBytes = 65_536

/** True for a packet of a gain map or a panorama that says nothing else; without it the picture is drawn wrongly. */
const onlyDraws = (bytes: Bytes): boolean => {
  if (bytes.size === 0) return true
  if (bytes.size > mostDrawingBytes) return false
  let text = ''
  for (const { chunk } of stepsOf(bytes)) text += chunk.toString('latin1')
  if (isEmptied(text)) return true
  if (!/hdrgm:|Container:Directory|HDRGainMap:|GPano:/.test(text) || xmpSaysPlace(text)) return false
  const bare = text.replace(/<\?xpacket[^>]{0,200}\?>/g, '').replace(/"[^"<]*"|'[^'<]*'/g, '""')
  if (/<!|<\?/.test(bare) || /toolkit/i.test(bare)) return false
  return [...bare.matchAll(/([A-Za-z_][\w.-]*):[A-Za-z_]/g)].every(([, prefix]) => drawingPrefixes.has(prefix ?? ''))
}

const isEmptied = (text: string): boolean =>
  text.trim() === '' || (text.startsWith(emptyPacket.toString()) && text.slice(emptyPacket.length).trim() === '')
