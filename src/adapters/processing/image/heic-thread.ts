import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

/** What the thread is asked for, and the part of heic-decode that is used. */
export interface HeicOrder {
  readonly path: string
  readonly page: number
}
/** Eight bits a channel, red, green, blue, alpha; upright, in the file's own colour space. */
export interface HeicPixels {
  readonly width: number
  readonly height: number
  readonly data: Uint8ClampedArray<ArrayBuffer>
}
type HeicDecode = {
  all(given: { buffer: Uint8Array }): Promise<{ width: number; height: number; decode(): Promise<HeicPixels> }[]>
}

/** It takes a file by the first brand alone, and knows the commonest of them. */
const knownBrand = 'heic'

const decode = async ({ path, page }: HeicOrder): Promise<HeicPixels | null> => {
  const library: HeicDecode = createRequire(import.meta.url)('heic-decode')
  const buffer = await readFile(path)
  buffer.write(knownBrand, 8, 'latin1')
  const pictures = await library.all({ buffer })
  const picture = pictures[page] ?? pictures[0]
  return picture ? picture.decode() : null
}

const order: HeicOrder = workerData
const pixels = await decode(order)
parentPort?.postMessage(pixels, pixels ? [pixels.data.buffer] : [])
