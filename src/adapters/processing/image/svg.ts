import { readFile } from 'node:fs/promises'
import { spokenType } from '../../../core/content-type.ts'
import { RindleError } from '../../../core/errors.ts'
import { decodeProblem } from './header.ts'

export const svgType = 'image/svg+xml'

/**
 * An SVG's bytes, once nothing in them refers outside of them. They are drawn from memory, where there is no folder to look into: this
 * only says so in words, before anything is drawn.
 *
 * @throws RindleError `external_reference`; `decode_failed` when its text cannot be read as it would be drawn
 */
export const readSvg = async (path: string): Promise<Buffer> => {
  const bytes = await readFile(path)
  const text = textOf(bytes)
  if (text === null) throw decodeProblem(svgType, null)
  if (refersOutside(text)) throw new RindleError('external_reference', { format: spokenType(svgType) })
  return bytes
}

/** Null for text in another encoding than is looked through here: it could hide any reference. */
const textOf = (bytes: Buffer): string | null => {
  const text = bytes.toString('latin1')
  const declared = /^[^<]*<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']/.exec(text)?.[1] ?? 'utf-8'
  return bytes.includes(0) || !asciiBased.has(declared.toLowerCase()) ? null : text
}

const asciiBased: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii', 'iso-8859-1', 'iso-8859-15', 'windows-1252'])

/** True when it names what is neither a fragment nor an embedded raster picture, as it stands or with the escapes and comments of styles resolved. */
const refersOutside = (source: string): boolean => {
  const text = withoutCharacterReferences(source)
  return [text, withoutEscapes(text), withoutEscapes(withoutComments(text))].some(
    (form) =>
      neverInside.some((one) => one.test(form)) ||
      form.matchAll(/<!DOCTYPE[^>[]*(\[?)/gi).some(([, subset]) => subset === '[') ||
      referring.some((one) => form.matchAll(one).some((found) => !isInside(form, found))),
  )
}

/** Declarations that bring text from elsewhere or fold it away, styles from elsewhere, another base. */
const neverInside = [/<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)/i, /<\?xml-stylesheet/i, /@import/i, /\sxml:base\s*=/i]
const referring = [/href\s*=\s*(["'])/gi, /url\(\s*(["']?)/gi]

const isInside = (text: string, found: RegExpExecArray): boolean => {
  const at = found.index + found[0].length
  const reference = text.slice(at, at + longestPrefix).trimStart()
  const isEmpty = reference.startsWith(found[1] || ')')
  return isEmpty || reference.startsWith('#') || /^data:\s*image\/(?:png|jpe?g|gif|webp)\s*[;,]/i.test(reference)
}

const longestPrefix = 100

const withoutCharacterReferences = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name) return named[name.toLowerCase()] ?? whole
    return character(hex ? Number.parseInt(hex, 16) : Number(decimal))
  })

/** The escapes of CSS, each as what it stands for. */
const withoutEscapes = (text: string): string =>
  text.replace(/\\(?:([0-9a-f]{1,6})\s?|([^0-9a-f\s]))/gi, (_, hex?: string, plain?: string) =>
    hex ? character(Number.parseInt(hex, 16)) : (plain ?? ''),
  )

/** Without what a style would take for comments. */
const withoutComments = (text: string): string => {
  const kept: string[] = []
  let from = 0
  for (let at = text.indexOf('/*'); at >= 0; at = text.indexOf('/*', from)) {
    const end = text.indexOf('*/', at + 2)
    if (end < 0) break
    kept.push(text.slice(from, at))
    from = end + 2
  }
  return kept.join('') + text.slice(from)
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const character = (code: number): string => (code > 0 && code < 0x11_0000 ? String.fromCodePoint(code) : '')
