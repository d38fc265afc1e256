import { extensionIn } from './content-type.ts'
import { storableText } from './storable.ts'

const maxFilenameBytes = 255
const maxExtensionCharacters = 32
/** Long enough for any name that is kept; what is longer is cut in its middle before anything looks at it. */
const maxCharactersLookedAt = 4096

/**
 * What has no place in a name that people are shown: control characters, line and paragraph separators, marks that reverse
 * the direction of text (so that `gpj.exe` reads `exe.jpg`), and invisible spaces. Joiners stay: scripts and emoji need them.
 */
const unwanted = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+/gu
const padding = /[.\s]/u

const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength

/**
 * The name of a client's file as it is kept and shown: Unicode in NFC, without folders or dots and spaces at its ends; every run of control
 * characters and marks that reverse text is one `_`; at most 255 bytes, its extension kept. What has no name left is `file`.
 *
 * Normalising twice changes nothing. The result is text for people and headers, never a path.
 */
export const normaliseFilename = (name: string): string => {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1)
  const half = maxCharactersLookedAt / 2
  const bounded = last.length <= maxCharactersLookedAt ? last : last.slice(0, half) + last.slice(-half)
  const cleaned = trimmed(storableText(trimmed(bounded).replace(unwanted, '_')).normalize('NFC'))
  return cleaned === '' ? 'file' : shortened(cleaned)
}

/**
 * The Content-Disposition header for a file: an ASCII name for old clients and the real one beside it. Safe whatever the name
 * holds, since it is normalised here once more.
 *
 * @see RFC 6266 and RFC 8187
 */
export const contentDisposition = (type: 'attachment' | 'inline', filename: string): string => {
  const name = normaliseFilename(filename)
  return `${type}; filename="${asciiOf(name)}"; filename*=UTF-8''${percentEncoded(name)}`
}

const asciiOf = (name: string): string =>
  name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]|["\\%]/gu, '_')

const percentEncoded = (name: string): string =>
  encodeURIComponent(name).replace(/[*'()]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const trimmed = (name: string): string => {
  let start = 0
  let end = name.length
  while (start < end && padding.test(name.charAt(start))) start += 1
  while (end > start && padding.test(name.charAt(end - 1))) end -= 1
  return name.slice(start, end)
}

const shortened = (name: string): string => {
  if (bytesOf(name) <= maxFilenameBytes) return name
  const extension = extensionIn(name)
  const kept = extension !== null && extension.length <= maxExtensionCharacters ? name.slice(name.lastIndexOf('.')) : ''
  const stem = trimmed(cutToBytes(name.slice(0, name.length - kept.length), maxFilenameBytes - bytesOf(kept)))
  return stem === '' ? `file${kept}` : stem + kept
}

const cutToBytes = (text: string, maxBytes: number): string => {
  let room = maxBytes
  let cut = ''
  for (const character of text) {
    room -= bytesOf(character)
    if (room < 0) break
    cut += character
  }
  return cut
}
