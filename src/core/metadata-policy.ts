import { canonicalType } from './content-type.ts'

/**
 * What of a file's own metadata is served with it. `strip-location` takes out where it was made and keeps the rest; `strip` takes out all
 * that is not needed to draw or play it (orientation and colour profile stay); `keep` changes nothing.
 */
export type MetadataPolicy = 'keep' | 'strip-location' | 'strip'

export const metadataPolicies: readonly MetadataPolicy[] = ['keep', 'strip-location', 'strip']

/** Who takes metadata out of a type: the library by itself, or ffmpeg, which has to be installed. */
type Stripper = 'built-in' | 'ffmpeg'

/** Canonical content types by who takes metadata out of them. Of types that are not here, nobody can. */
export const strippableTypes: Readonly<Record<Stripper, ReadonlySet<string>>> = {
  'built-in': new Set([
    'image/jpeg',
    'image/png',
    'image/webp',
    'image/gif',
    'image/tiff',
    'image/avif',
    'image/heic',
    'image/svg+xml',
    'video/mp4',
    'video/quicktime',
    'video/3gpp',
    'video/3gpp2',
    'audio/mp4',
  ]),
  ffmpeg: new Set(['video/webm', 'video/matroska', 'audio/webm', 'audio/ogg', 'video/ogg', 'audio/mpeg', 'audio/flac', 'audio/wav']),
}

/** Null when nobody takes metadata out of files of this type: a profile that lists it has to say `originals: { metadata: 'keep' }`. */
export const stripperOf = (contentType: string): Stripper | null => {
  const type = canonicalType(contentType)
  if (strippableTypes['built-in'].has(type)) return 'built-in'
  return strippableTypes.ffmpeg.has(type) ? 'ffmpeg' : null
}
