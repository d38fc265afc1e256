import { open, unlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { RindleError } from '../../../core/errors.ts'
import { decodeProblem, type ImageHeader } from './header.ts'
import type { HeicOrder, HeicPixels } from './heic-thread.ts'
import { withLoader } from './sharp.ts'

export const heicType = 'image/heic'

/**
 * Decodes the picture that a HEIC file shows and hands it to `draw` as an uncompressed file with its colour profile: sharp reads that line
 * by line, and brings its colours to sRGB. It is upright as the file's own properties say; the orientation in its Exif, which repeats
 * them, counts for nothing.
 *
 * @throws RindleError `peer_missing` without heic-decode; `decode_failed`
 */
export const withHeicPixels = async <T>(
  path: string,
  folder: string,
  header: ImageHeader,
  draw: (path: string) => Promise<T>,
): Promise<T> => {
  const pixels = await decodeApart({ path, page: header.page }).catch((err: unknown) => {
    throw err instanceof RindleError ? err : decodeProblem(header.contentType, err)
  })
  if (pixels?.width !== header.width || pixels.height !== header.height) throw decodeProblem(header.contentType, null)
  const file = join(folder, 'heic.tif')
  await writePixels(file, pixels, header.colourProfile)
  try {
    return await withLoader('image/tiff', () => draw(file))
  } finally {
    await unlink(file)
  }
}

/**
 * A thread of its own for each: the memory of WebAssembly grows and never shrinks, and goes with its thread alone. Left to itself a thread
 * lays half a gibibyte aside for its code, which would count against the child's limit.
 */
const decodeApart = async (order: HeicOrder): Promise<HeicPixels | null> => {
  try {
    createRequire(import.meta.url).resolve('heic-decode')
  } catch (cause) {
    throw new RindleError('peer_missing', { packageName: 'heic-decode', neededFor: 'Opening HEIC pictures' }, { cause })
  }
  const answer = Promise.withResolvers<HeicPixels | null>()
  const thread = new Worker(fileURLToPath(import.meta.resolve('#heic')), { workerData: order, resourceLimits: { codeRangeSizeMb: 16 } })
  thread.once('message', answer.resolve)
  thread.once('error', answer.reject)
  thread.once('exit', () => answer.resolve(null))
  return answer.promise.finally(() => thread.terminate())
}

/**
 * A TIFF of one strip, its header before the pixels, so that they are written from where they lie.
 *
 * @see https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
 */
const writePixels = async (path: string, { width, height, data }: HeicPixels, profile: Uint8Array | null): Promise<void> => {
  await using file = await open(path, 'wx')
  const header = tiffHeader(width, height, data.byteLength, profile)
  await file.writev([header, profile ?? Buffer.alloc(0)])
  for (let at = 0; at < data.byteLength;) at += (await file.write(data, at, Math.min(piece, data.byteLength - at))).bytesWritten
}

const piece = 64 * 1024 * 1024
const [short, long, undefinedBytes] = [3, 4, 7]

const tiffHeader = (width: number, height: number, stripBytes: number, profile: Uint8Array | null): Buffer => {
  const entries = profile ? 12 : 11
  const bitsAt = 8 + 2 + entries * 12 + 4
  const profileAt = bitsAt + 8
  const fields: readonly (readonly [tag: number, type: number, count: number, value: number])[] = [
    [256, long, 1, width],
    [257, long, 1, height],
    [258, short, 4, bitsAt],
    [259, short, 1, 1],
    [262, short, 1, 2],
    [273, long, 1, profileAt + (profile?.byteLength ?? 0)],
    [277, short, 1, 4],
    [278, long, 1, height],
    [279, long, 1, stripBytes],
    [284, short, 1, 1],
    [338, short, 1, 2],
    ...(profile ? [[34_675, undefinedBytes, profile.byteLength, profileAt] as const] : []),
  ]
  const header = Buffer.alloc(profileAt)
  header.write('II*\0', 0, 'latin1')
  header.writeUInt32LE(8, 4)
  header.writeUInt16LE(entries, 8)
  for (const [index, [tag, type, count, value]] of fields.entries()) {
    const at = 10 + index * 12
    header.writeUInt16LE(tag, at)
    header.writeUInt16LE(type, at + 2)
    header.writeUInt32LE(count, at + 4)
    header.writeUInt32LE(value, at + 8)
  }
  for (let sample = 0; sample < 4; sample++) header.writeUInt16LE(8, bitsAt + 2 * sample)
  return header
}
