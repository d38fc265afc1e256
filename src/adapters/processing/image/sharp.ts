import type sharp from 'sharp'
import { RindleError } from '../../../core/errors.ts'

export type Sharp = typeof sharp

/** The one loader per type that is ever opened; all others stay blocked. */
const loaders: Readonly<Record<string, string>> = {
  'image/jpeg': 'VipsForeignLoadJpegFile',
  'image/png': 'VipsForeignLoadPngFile',
  'image/webp': 'VipsForeignLoadWebpFile',
  'image/gif': 'VipsForeignLoadNsgifFile',
  'image/avif': 'VipsForeignLoadHeifFile',
  // Its header alone: the pixels are decoded by a library of their own.
  'image/heic': 'VipsForeignLoadHeifFile',
  'image/tiff': 'VipsForeignLoadTiffFile',
  // Bytes have no folder, so nothing that lies beside them can be named.
  'image/svg+xml': 'VipsForeignLoadSvgBuffer',
}

let loaded: Sharp | null = null
let open: readonly string[] = []

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

/** Opens the loader of one content type, and of no other, for as long as `work` runs. Not for two at a time in one process. */
export const withLoader = async <T>(contentType: string, work: (sharp: Sharp) => Promise<T>): Promise<T> => {
  const module = await loadSharp()
  const before = open
  const only = (operation: readonly string[]): void => {
    module.block({ operation: [...open] })
    module.unblock({ operation: [...operation] })
    open = operation
  }
  only([loaders[contentType] ?? []].flat())
  try {
    return await work(module)
  } finally {
    only(before)
  }
}
