import { join } from 'node:path'
import { extensionOf, spokenType } from '../../../core/content-type.ts'
import { RindleError } from '../../../core/errors.ts'
import { type MetadataPolicy, stripperOf } from '../../../core/metadata-policy.ts'
import type { Rewritten } from '../../../core/ports/jail.ts'
import { mostSpans } from '../../../core/span.ts'
import { stripBmff } from './bmff.ts'
import type { Bytes } from './bytes.ts'
import { openCanvas } from './canvas.ts'
import { stripGif } from './gif.ts'
import { stripEmbeddedJpeg } from './jpeg.ts'
import { stripPng } from './png.ts'
import { remuxWithoutMetadata } from './remux.ts'
import { stripSvg } from './svg.ts'
import { stripTiffFile } from './tiff.ts'
import { stripJpegFile } from './trailer.ts'
import { stripWebp } from './webp.ts'

interface StripRequest {
  /** Only read. */
  readonly path: string
  /** Where the rewritten file goes: `original.<extension>`. */
  readonly folder: string
  /** Canonical, of the bytes themselves. */
  readonly contentType: string
  readonly policy: MetadataPolicy
  /** How long a copy by ffmpeg may take. */
  readonly timeoutMs: number
}

const walkers: Readonly<Record<string, (bytes: Bytes, policy: MetadataPolicy) => void>> = {
  'image/jpeg': stripJpegFile,
  'image/png': stripPng,
  'image/webp': stripWebp,
  'image/gif': stripGif,
  'image/svg+xml': stripSvg,
  'image/tiff': (bytes, policy) => stripTiffFile(bytes, policy, { picture: stripEmbeddedJpeg(policy) }),
}

/**
 * Takes the location, or all metadata, out of a file without touching what is drawn or played: by edits of equal length where the container
 * is known here, so that every offset in it stands, else by ffmpeg, which copies the streams. What is written is walked again, and has to
 * come out unchanged. Ours, because no kept library takes out places and leaves the camera's notes, nor knows gain maps, XMP and HEIC.
 *
 * @returns null when nothing had to be taken out.
 * @throws RindleError `metadata_not_removable` when it cannot be found out, or not be taken out; what `remuxWithoutMetadata` throws
 */
export const stripMetadata = async (request: StripRequest): Promise<Rewritten | null> => {
  const { path, folder, contentType, policy } = request
  if (policy === 'keep') return null
  const copyPath = join(folder, `original.${extensionOf(contentType) ?? 'bin'}`)
  const format = spokenType(contentType)
  const stripper = stripperOf(contentType)
  if (stripper === null) throw new RindleError('metadata_not_removable', { format })
  if (stripper === 'ffmpeg') return remuxWithoutMetadata({ ...request, copyPath, format })
  const strip = walkers[contentType] ?? stripBmff
  const rewritten = edit(path, copyPath, format, (bytes) => strip(bytes, policy))
  if (rewritten && edit(copyPath, `${copyPath}.again`, format, (bytes) => strip(bytes, policy)))
    throw new RindleError('metadata_not_removable', { format })
  return rewritten
}

const edit = (path: string, copyPath: string, format: string, work: (bytes: Bytes) => void): Rewritten | null => {
  const canvas = openCanvas(path, copyPath, format)
  try {
    work(canvas.bytes)
    const changed = canvas.finish()
    if (changed.length === 0) return null
    return { path: copyPath, byteSize: canvas.bytes.size, changed: changed.length > mostSpans ? null : changed }
  } finally {
    canvas.close()
  }
}
