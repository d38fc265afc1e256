import { open } from 'node:fs/promises'
import { fileTypeFromBlob, fileTypeFromFile } from 'file-type'
import {
  bareExtension,
  canonicalType,
  contentTypeOf,
  extensionFits,
  extensionOf,
  isTextType,
  kindOf,
  soundTypeOf,
  typeInContainer,
} from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import type { AssetKind } from '../../core/asset.ts'
import type { Excerpt } from '../../core/ports/jail.ts'
import { blobOf } from './excerpt.ts'

/** What the first bytes say a file is, before anything is decoded. */
export interface Sniffed {
  /** Canonical; null when nothing recognises it. */
  readonly contentType: string | null
  /** What the recogniser itself calls such files, for types that have no entry of ours; null where more than the recogniser told the type. */
  readonly extension: string | null
}

/** What the gate took a file for, by its bytes and its name together. */
export interface Identity {
  readonly kind: AssetKind
  readonly contentType: string
  readonly extension: string
}

interface Allowed {
  readonly profileKind: 'media' | 'file'
  readonly extension: string | null
  readonly allowMime: readonly string[]
  readonly allowExtensions: readonly string[] | null
}

const headBytes = 4_100
/** Two letters that a text may well begin with; a real one has zeros in its header. */
const weakSignatures: ReadonlySet<string> = new Set(['image/bmp', 'application/x-msdownload'])
/** Markup that runs when it is opened: a text of another name must not be one of these. */
const activeMarkup: ReadonlySet<string> = new Set(['text/html', 'application/xhtml+xml', 'image/svg+xml'])

/**
 * Looks at the beginning of a file, and further where a type is told only there: by `whole` when the file holds no more than the beginning.
 *
 * @throws RindleError `file_empty`
 */
export const sniff = async (path: string, whole?: Pick<Excerpt, 'sizeBytes' | 'read'>): Promise<Sniffed> => {
  const head = await headOf(path)
  if (head.length === 0) throw new RindleError('file_empty', {})
  const found = await (whole ? fileTypeFromBlob(await blobOf(path, whole)) : fileTypeFromFile(path)).catch(() => undefined)
  const contentType = found ? canonicalType(found.mime) : null
  const noisy = contentType !== null && weakSignatures.has(contentType) && !head.includes(0)
  if (found && contentType !== null && contentType !== 'application/xml' && !noisy) return { contentType, extension: found.ext }
  return { contentType: markupOf(head) ?? beginningOf(head) ?? (noisy ? null : contentType), extension: null }
}

/**
 * Holds what the bytes are against what the profile takes and what the name says.
 *
 * @throws RindleError `type_unknown`, `mime_not_allowed`, `extension_missing`, `extension_not_allowed`, `extension_mime_mismatch`
 */
export const identify = (sniffed: Sniffed, allowed: Allowed): Identity => {
  const allow = allowed.allowMime.map(canonicalType)
  const mime = trueTypeOf(sniffed, allowed, allow)
  if (mime === null) throw new RindleError('type_unknown', {})
  if (!allow.includes(mime)) throw new RindleError('mime_not_allowed', { mime, allowed: allow })
  const { extension } = allowed
  if (extension === null) throw new RindleError('extension_missing', {})
  const extensions = allowed.allowExtensions?.map(bareExtension) ?? null
  if (extensions && !extensions.includes(extension)) throw new RindleError('extension_not_allowed', { extension, allowed: extensions })
  const fits = extensionOf(mime) === null ? extension === sniffed.extension : extensionFits(extension, mime)
  if (!fits) throw new RindleError('extension_mime_mismatch', { extension, mime })
  const kind = allowed.profileKind === 'file' ? 'file' : kindOf(mime)
  return { kind, contentType: mime, extension: extensionOf(mime) ?? extension }
}

/** True when the whole file is UTF-8 without NUL. Memory stays constant however long it is. */
export const isUtf8Text = async (path: string): Promise<boolean> => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  await using file = await open(path)
  try {
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })) {
      if (chunk.includes(0)) return false
      decoder.decode(chunk, { stream: true })
    }
    decoder.decode()
    return true
  } catch (err) {
    if (err instanceof TypeError) return false
    throw err
  }
}

const headOf = async (path: string): Promise<Buffer> => {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
  return buffer.subarray(0, bytesRead)
}

/** Text has no magic number: there the extension names the type, if that is a listed text type and the bytes are no active markup. */
const trueTypeOf = (sniffed: Sniffed, allowed: Allowed, allow: readonly string[]): string | null => {
  const { contentType } = sniffed
  const extension = allowed.extension ?? ''
  const named = contentTypeOf(extension)
  const mayBeText = contentType === null || (isTextType(contentType) && !activeMarkup.has(contentType))
  if (allowed.profileKind === 'file' && mayBeText && named !== null && isTextType(named) && allow.includes(named)) return named
  if (contentType === null || sniffed.extension === null) return contentType
  const type = typeInContainer(contentType, extension)
  const sound = soundTypeOf(type)
  return sound !== null && !allow.includes(type) && allow.includes(sound) && extensionFits(extension, sound) ? sound : type
}

/** How decodable pictures begin: a cut one is too short for the recogniser, and deserves to be called damaged rather than unknown. */
const beginnings: readonly (readonly [contentType: string, hex: string])[] = [
  ['image/jpeg', 'ffd8ff'],
  ['image/png', '89504e470d0a1a0a'],
  ['image/gif', '47494638'],
  ['image/tiff', '49492a00'],
  ['image/tiff', '4d4d002a'],
]

const beginningOf = (head: Buffer): string | null => {
  const start = head.subarray(0, 8).toString('hex')
  return beginnings.find(([, hex]) => start.startsWith(hex))?.[0] ?? null
}

/** Recognises SVG, HTML and XML by their first element; file-type has no opinion on the first two. */
const markupOf = (head: Buffer): string | null => {
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart()
  const xml = text.startsWith('<?xml')
  let rest = text
  for (let before = ''; before !== rest;) {
    before = rest
    rest = rest
      .replace(/^<\?[^>]*>/, '')
      .replace(/^<!--[\s\S]*?-->/, '')
      .replace(/^<!doctype(?!\s+html)[^>[]*(\[[^\]]*\])?[^>]*>/i, '')
      .trimStart()
  }
  if (/^<(?:[\w-]+:)?svg[\s>/]/i.test(rest)) return 'image/svg+xml'
  if (/^<html[^>]*xmlns/i.test(rest) && xml) return 'application/xhtml+xml'
  if (/^<(?:!doctype\s+html|html|head|body|script|iframe)[\s>/]/i.test(rest)) return 'text/html'
  return xml ? 'application/xml' : null
}
