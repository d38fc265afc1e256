import { readFile } from 'node:fs/promises'
import { inflateSync } from 'node:zlib'
import { canaries } from './taggings.ts'
import type { Tag } from './tools.ts'

const placeName =
  /gps|location|latitude|longitude|geolocation|coordinates|xyz|loci\b|city|country|province|^state$|sublocation|modeltiepoint|modeltransform|geotiff|pixelscale/i
/** Not in the file, or no place on the earth. */
const elsewhere = new Set(['System', 'File', 'ExifTool', 'Composite'])

export const isPlace = ({ group, name, value }: Tag): boolean => !elsewhere.has(group) && placeName.test(name) && value.trim() !== ''

/** What stays the same of a word in base64, wherever in three bytes it begins. */
const inBase64 = (word: string): string[] =>
  [0, 1, 2].map((before) => {
    const bytes = Buffer.from(`${'\0'.repeat(before)}${word}`)
    return bytes.toString('base64').slice(before === 0 ? 0 : before + 1, Math.floor((bytes.length * 4) / 3) - 1)
  })
const forms: readonly (readonly [canary: string, forms: readonly (string | Buffer)[]])[] = canaries.map((canary) => [
  canary,
  [canary, Buffer.from(canary, 'utf16le'), ...inBase64(canary)],
])

/** Canaries in the bytes as they are, as UTF-16, in base64, and in what a PNG has compressed. */
export const canariesIn = async (path: string): Promise<string[]> => {
  const bytes = await readFile(path)
  const texts = [bytes, ...compressedTexts(bytes)]
  const found = forms.flatMap(([canary, all]) => (texts.some((text) => all.some((form) => text.includes(form))) ? [canary] : []))
  const digits = texts.some((text) =>
    canaries.some((canary) => text.toString('latin1').replaceAll('\n', '').includes(Buffer.from(canary).toString('hex'))),
  )
  return digits ? [...found, 'in hexadecimal digits'] : found
}

const compressedTexts = (bytes: Buffer): Buffer[] => {
  if (bytes.toString('latin1', 1, 4) !== 'PNG') return []
  const texts: Buffer[] = []
  for (let at = 8; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    if (!['zTXt', 'iTXt'].includes(bytes.toString('latin1', at + 4, at + 8))) continue
    const body = bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at))
    for (let start = body.indexOf(0x78); start >= 0; start = body.indexOf(0x78, start + 1)) {
      try {
        texts.push(inflateSync(body.subarray(start)))
      } catch {
        // It was no beginning of a stream.
      }
    }
  }
  return texts
}

/** What has to be in the served file as it was in the one that came. */
export const keptTags = (tags: readonly Tag[], policy: 'strip-location' | 'strip'): string[] =>
  tags
    .filter(({ group, name, value }) => {
      if (group.startsWith('ICC')) return true
      if (name === 'Orientation') return group === 'IFD0' && value !== '1'
      return policy === 'strip-location' && ['Make', 'Model', 'LensModel', 'DateTimeOriginal'].includes(name) && /IFD/.test(group)
    })
    .map(({ group, name, value }) => `${group.replace(/\d+$/, '')}:${name}=${value}`)
    .sort()
