import type sharp from 'sharp'
import { RindleError } from '../../core/errors.ts'

export type Sharp = typeof sharp

/** The one loader per type that is ever opened; all others stay blocked. */
const loaders: Readonly<Record<string, string>> = {
  'image/jpeg': 'VipsForeignLoadJpegFile',
  'image/png': 'VipsForeignLoadPngFile',
  'image/webp': 'VipsForeignLoadWebpFile',
  'image/gif': 'VipsForeignLoadNsgifFile',
  'image/avif': 'VipsForeignLoadHeifFile',
  'image/tiff': 'VipsForeignLoadTiffFile',
}

let loaded: Sharp | null = null

/** sharp without its cache, with one thread a pipeline, and with every loader blocked. @throws RindleError `peer_missing` */
export const loadSharp = async (): Promise<Sharp> => {
  if (loaded) return loaded
  const { default: module } = await import('sharp').catch((cause: unknown) => {
    throw new RindleError('peer_missing', { packageName: 'sharp', neededFor: 'Looking into images' }, { cause })
  })
  module.cache(false)
  module.concurrency(1)
  module.block({ operation: ['VipsForeignLoad'] })
  loaded = module
  return module
}

/** Opens the loader of one content type for as long as `work` runs. Not for two at a time in one process. */
export const withLoader = async <T>(contentType: string, work: (sharp: Sharp) => Promise<T>): Promise<T> => {
  const module = await loadSharp()
  const operation = [loaders[contentType] ?? []].flat()
  module.unblock({ operation })
  try {
    return await work(module)
  } finally {
    module.block({ operation })
  }
}
