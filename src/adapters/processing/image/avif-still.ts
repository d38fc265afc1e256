import { constants } from 'node:fs'
import { copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'

export const avifType = 'image/avif'

const brandAt = 8
const sequenceBrand = 'avis'
const stillBrand = 'avif'

/**
 * Where the still picture of an AVIF is to be read from. A sequence has one as well, but begins with a brand that libvips does not take for AVIF:
 * the decoder is given a copy in `folder` that has the brand of a still and is the same otherwise.
 */
export const readableAvif = async (path: string, folder: string): Promise<string> => {
  if ((await brandOf(path)) !== sequenceBrand) return path
  const still = join(folder, 'still.avif')
  await copyFile(path, still, constants.COPYFILE_FICLONE)
  await using file = await open(still, 'r+')
  await file.write(stillBrand, brandAt, 'latin1')
  return still
}

const brandOf = async (path: string): Promise<string> => {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, brandAt)
  return buffer.toString('latin1', 0, bytesRead)
}
