import type { AssetKind } from './asset.ts'

/** How one content type is written, and what may be done with it. */
interface ContentType {
  /** Canonical, lower-case, without parameters. */
  readonly type: string
  /** Without the dot; the first is the one we write. */
  readonly extensions: readonly [string, ...string[]]
  /** Other names that sniffers, browsers and clients use for it. */
  readonly aliases?: readonly string[]
  /** Browsers draw it in an `<img>`. */
  readonly drawable?: true
  /** Opening it in a page's own origin runs nothing. */
  readonly inert?: true
  /** The image decoder opens it. */
  readonly decodable?: true
  /** ffmpeg probes it and decodes from it. */
  readonly playable?: true
  /** It has no magic number: it is recognised by its extension and by being valid UTF-8. */
  readonly text?: true
}

const picture = { drawable: true, inert: true } as const
const film = { inert: true, playable: true } as const

/** Every type that has a name here. Where two types share an extension, the earlier one is what the extension alone means. */
export const contentTypes: readonly ContentType[] = [
  {
    type: 'image/jpeg',
    extensions: ['jpg', 'jpeg', 'jpe', 'jfif', 'pjpeg'],
    aliases: ['image/jpg', 'image/pjpeg'],
    ...picture,
    decodable: true,
  },
  { type: 'image/png', extensions: ['png', 'apng'], aliases: ['image/x-png', 'image/apng'], ...picture, decodable: true },
  { type: 'image/webp', extensions: ['webp'], ...picture, decodable: true },
  { type: 'image/gif', extensions: ['gif'], ...picture, decodable: true },
  { type: 'image/avif', extensions: ['avif', 'avifs'], aliases: ['image/avif-sequence'], ...picture, decodable: true },
  { type: 'image/tiff', extensions: ['tif', 'tiff'], aliases: ['image/tif', 'image/x-tiff'], inert: true, decodable: true },
  { type: 'image/bmp', extensions: ['bmp', 'dib'], aliases: ['image/x-ms-bmp', 'image/x-bmp'], ...picture },
  { type: 'image/vnd.microsoft.icon', extensions: ['ico'], aliases: ['image/x-icon', 'image/ico'], ...picture },
  {
    type: 'image/heic',
    extensions: ['heic', 'heif', 'hif'],
    aliases: ['image/heif', 'image/heic-sequence', 'image/heif-sequence'],
    inert: true,
    decodable: true,
  },
  { type: 'image/jxl', extensions: ['jxl'], inert: true },
  { type: 'image/jp2', extensions: ['jp2', 'jpx', 'j2k', 'jpf'], aliases: ['image/jpx', 'image/j2c', 'image/jpm'], inert: true },
  { type: 'image/svg+xml', extensions: ['svg'], aliases: ['image/svg'] },
  { type: 'image/vnd.adobe.photoshop', extensions: ['psd'], aliases: ['application/x-photoshop', 'image/x-psd'] },

  { type: 'video/mp4', extensions: ['mp4', 'm4v', 'mp4v'], aliases: ['video/x-m4v', 'application/mp4'], ...film },
  { type: 'video/quicktime', extensions: ['mov', 'qt'], ...film },
  { type: 'video/webm', extensions: ['webm'], ...film },
  { type: 'video/matroska', extensions: ['mkv'], aliases: ['video/x-matroska'], ...film },
  { type: 'video/x-msvideo', extensions: ['avi'], aliases: ['video/vnd.avi', 'video/avi', 'video/msvideo'], ...film },
  { type: 'video/mpeg', extensions: ['mpg', 'mpeg', 'mpe'], aliases: ['video/mp1s', 'video/mp2p'], ...film },
  { type: 'video/mp2t', extensions: ['mts', 'm2ts', 'm2t'], ...film },
  { type: 'video/3gpp', extensions: ['3gp', '3gpp'], ...film },
  { type: 'video/3gpp2', extensions: ['3g2'], ...film },
  { type: 'video/x-flv', extensions: ['flv'], inert: true },
  { type: 'video/x-ms-wmv', extensions: ['wmv', 'asf'], aliases: ['video/x-ms-asf', 'application/vnd.ms-asf'], inert: true },

  { type: 'audio/mpeg', extensions: ['mp3', 'mpga'], aliases: ['audio/mp3', 'audio/x-mp3', 'audio/mpeg3'], ...film },
  { type: 'audio/mp4', extensions: ['m4a', 'm4b'], aliases: ['audio/x-m4a', 'audio/m4a'], ...film },
  { type: 'audio/aac', extensions: ['aac'], aliases: ['audio/x-aac', 'audio/aacp', 'audio/x-hx-aac-adts'], ...film },
  {
    type: 'audio/ogg',
    extensions: ['ogg', 'oga', 'opus', 'spx'],
    aliases: ['application/ogg', 'audio/opus', 'audio/x-opus+ogg'],
    ...film,
  },
  { type: 'video/ogg', extensions: ['ogv', 'ogg'], ...film },
  { type: 'audio/wav', extensions: ['wav'], aliases: ['audio/x-wav', 'audio/wave', 'audio/vnd.wave'], ...film },
  { type: 'audio/flac', extensions: ['flac'], aliases: ['audio/x-flac'], ...film },
  { type: 'audio/aiff', extensions: ['aiff', 'aif', 'aifc'], aliases: ['audio/x-aiff'], ...film },
  { type: 'audio/x-caf', extensions: ['caf'], ...film },
  { type: 'audio/amr', extensions: ['amr'], ...film },
  { type: 'audio/webm', extensions: ['weba', 'webm'], ...film },
  { type: 'audio/midi', extensions: ['mid', 'midi'], aliases: ['audio/x-midi', 'audio/mid'], inert: true },

  { type: 'text/plain', extensions: ['txt', 'text', 'log'], text: true },
  { type: 'text/csv', extensions: ['csv'], aliases: ['application/csv'], text: true },
  { type: 'text/tab-separated-values', extensions: ['tsv'], text: true },
  { type: 'text/markdown', extensions: ['md', 'markdown'], aliases: ['text/x-markdown'], text: true },
  { type: 'text/vtt', extensions: ['vtt'], text: true },
  { type: 'application/x-subrip', extensions: ['srt'], aliases: ['text/srt', 'application/srt'], text: true },
  { type: 'text/calendar', extensions: ['ics', 'ical'], text: true },
  { type: 'text/vcard', extensions: ['vcf', 'vcard'], aliases: ['text/x-vcard'], text: true },
  { type: 'text/css', extensions: ['css'], text: true },
  { type: 'text/html', extensions: ['html', 'htm'], text: true },
  { type: 'application/xhtml+xml', extensions: ['xhtml', 'xht'], text: true },
  { type: 'text/javascript', extensions: ['js', 'mjs'], aliases: ['application/javascript', 'application/x-javascript'], text: true },
  { type: 'application/json', extensions: ['json', 'map'], aliases: ['text/json'], text: true },
  { type: 'application/ld+json', extensions: ['jsonld'], text: true },
  { type: 'application/geo+json', extensions: ['geojson'], text: true },
  { type: 'application/x-ndjson', extensions: ['ndjson', 'jsonl'], aliases: ['application/jsonl'], text: true },
  { type: 'application/yaml', extensions: ['yaml', 'yml'], aliases: ['text/yaml', 'application/x-yaml'], text: true },
  { type: 'application/toml', extensions: ['toml'], text: true },
  { type: 'application/xml', extensions: ['xml'], aliases: ['text/xml'], text: true },
  { type: 'application/gpx+xml', extensions: ['gpx'], text: true },
  { type: 'application/sql', extensions: ['sql'], text: true },

  { type: 'application/pdf', extensions: ['pdf'], aliases: ['application/x-pdf'] },
  { type: 'application/rtf', extensions: ['rtf'], aliases: ['text/rtf'] },
  { type: 'application/epub+zip', extensions: ['epub'] },
  { type: 'application/msword', extensions: ['doc', 'dot'] },
  { type: 'application/vnd.ms-excel', extensions: ['xls', 'xlt'] },
  { type: 'application/vnd.ms-powerpoint', extensions: ['ppt', 'pps'] },
  { type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', extensions: ['docx'] },
  { type: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', extensions: ['xlsx'] },
  { type: 'application/vnd.openxmlformats-officedocument.presentationml.presentation', extensions: ['pptx'] },
  { type: 'application/vnd.oasis.opendocument.text', extensions: ['odt'] },
  { type: 'application/vnd.oasis.opendocument.spreadsheet', extensions: ['ods'] },
  { type: 'application/vnd.oasis.opendocument.presentation', extensions: ['odp'] },
  { type: 'application/zip', extensions: ['zip'], aliases: ['application/x-zip-compressed', 'application/x-zip'] },
  { type: 'application/gzip', extensions: ['gz', 'tgz'], aliases: ['application/x-gzip'] },
  { type: 'application/x-tar', extensions: ['tar'] },
  { type: 'application/x-7z-compressed', extensions: ['7z'] },
  { type: 'application/x-rar-compressed', extensions: ['rar'], aliases: ['application/vnd.rar'] },
  { type: 'application/x-bzip2', extensions: ['bz2'] },
  { type: 'application/x-xz', extensions: ['xz'] },
  { type: 'application/zstd', extensions: ['zst'] },
  { type: 'application/wasm', extensions: ['wasm'] },
  { type: 'application/vnd.sqlite3', extensions: ['sqlite', 'db', 'sqlite3'], aliases: ['application/x-sqlite3'] },
  { type: 'application/vnd.apache.parquet', extensions: ['parquet'] },
  { type: 'font/woff', extensions: ['woff'] },
  { type: 'font/woff2', extensions: ['woff2'] },
  { type: 'font/ttf', extensions: ['ttf'] },
  { type: 'font/otf', extensions: ['otf'] },
  { type: 'model/gltf-binary', extensions: ['glb'] },
  { type: 'application/octet-stream', extensions: ['bin'], aliases: ['binary/octet-stream'] },
]

/** Containers whose sniffed name says nothing more precise: what they are for is told by the extension. */
const generic: Readonly<Record<string, readonly string[]>> = {
  'video/mp4': ['audio/mp4', 'video/3gpp', 'video/3gpp2'],
  'video/3gpp': ['video/mp4', 'audio/mp4', 'video/3gpp2'],
  'video/3gpp2': ['video/mp4', 'audio/mp4', 'video/3gpp'],
  'video/webm': ['audio/webm'],
  'application/x-cfb': ['application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint'],
}

const byName = new Map<string, ContentType>()
const byExtension = new Map<string, ContentType>()
for (const entry of contentTypes) {
  for (const name of [entry.type, ...(entry.aliases ?? [])]) if (!byName.has(name)) byName.set(name, entry)
  for (const extension of entry.extensions) if (!byExtension.has(extension)) byExtension.set(extension, entry)
}

const typesWith = (says: (entry: ContentType) => boolean): ReadonlySet<string> =>
  new Set(contentTypes.filter(says).map((entry) => entry.type))

/** Canonical types that browsers draw in an `<img>`. */
export const browserDrawableTypes = typesWith((entry) => entry.drawable === true)
/** Canonical types that may be served inline; everything else is an attachment. */
export const inertTypes = typesWith((entry) => entry.inert === true)
/** Canonical types that the gate decodes and variants can be made from. */
export const decodableImageTypes = typesWith((entry) => entry.decodable === true)
/** Canonical types of audio and video that the gate probes and decodes a part of. */
export const playableTypes = typesWith((entry) => entry.playable === true)
/** Canonical types without a magic number. */
export const textTypes = typesWith((entry) => entry.text === true)

/** One spelling per type: lower-case, without parameters, aliases resolved. A type that has no name here stays as it is. */
export const canonicalType = (contentType: string): string => {
  const bare = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase()
  return byName.get(bare)?.type ?? bare
}

/** True for text types, those without an entry of their own (`text/x-anything`) included. */
export const isTextType = (contentType: string): boolean => {
  const type = canonicalType(contentType)
  return textTypes.has(type) || (type.startsWith('text/') && !byName.has(type))
}

/** What a file name's extension means, with or without its dot; null when it means nothing to us. */
export const contentTypeOf = (extension: string): string | null => byExtension.get(bareExtension(extension))?.type ?? null

/** The extension we write for a type, without the dot; null when we have none. */
export const extensionOf = (contentType: string): string | null => byName.get(canonicalType(contentType))?.extensions[0] ?? null

/** Every extension that files of this type go by, without the dot. */
export const extensionsOf = (contentType: string): readonly string[] => byName.get(canonicalType(contentType))?.extensions ?? []

/** True when a file of this type may go by this extension. */
export const extensionFits = (extension: string, contentType: string): boolean =>
  extensionsOf(contentType).includes(bareExtension(extension))

/** The more precise type that a container goes by when its extension is one of those it is used for; else the type itself. */
export const typeInContainer = (sniffed: string, extension: string): string => {
  const named = contentTypeOf(extension)
  return named !== null && generic[sniffed]?.includes(named) === true ? named : sniffed
}

/** Containers that go by another name where there is no picture in them: whether there is one, only their tracks tell. */
const soundNames: Readonly<Record<string, string>> = { 'video/mp4': 'audio/mp4', 'video/webm': 'audio/webm', 'video/ogg': 'audio/ogg' }

/** The name of a container for sound alone; null where it has none. */
export const soundTypeOf = (contentType: string): string | null => soundNames[contentType] ?? null

/** The name of a container when there is a picture in it. */
export const filmTypeOf = (contentType: string): string =>
  Object.keys(soundNames).find((film) => soundNames[film] === contentType) ?? contentType

/** Lower-case and without the dot. */
export const bareExtension = (extension: string): string => extension.trim().toLowerCase().replace(/^\.+/, '')

/** The extension of a file name, lower-case and without the dot; null when it has none. A leading dot alone starts a name, not an extension. */
export const extensionIn = (filename: string): string | null => {
  const name = filename.slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1)
  const dot = name.lastIndexOf('.')
  return dot > 0 && dot < name.length - 1 ? bareExtension(name.slice(dot)) : null
}

/** What an asset of this type is to the library. */
export const kindOf = (contentType: string): AssetKind => {
  const family = canonicalType(contentType).split('/', 1)[0]
  return family === 'image' || family === 'video' || family === 'audio' ? family : 'file'
}

const spellings: Readonly<Record<string, string>> = { jpg: 'JPEG', webp: 'WebP', tif: 'TIFF', md: 'Markdown', txt: 'text', gz: 'gzip' }

/** The type as people call it: `JPEG`, `HTML`; the type itself where it has no name here. */
export const spokenType = (contentType: string): string => {
  const extension = extensionOf(contentType)
  return extension === null ? contentType : (spellings[extension] ?? extension.toUpperCase())
}
