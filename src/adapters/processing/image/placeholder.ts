import { rgbaToThumbHash } from 'thumbhash'
import type { Size } from './geometry.ts'

/** A ThumbHash takes no picture with a longer side. */
export const placeholderSide = 100

/** ThumbHash in base64, of RGBA pixels no longer than `placeholderSide`. */
export const thumbHashOf = (rgba: Uint8Array, size: Size): string =>
  Buffer.from(rgbaToThumbHash(size.width, size.height, rgba)).toString('base64')

/** The mean of the most frequent sixteenth-by-channel colour, as `#rrggbb`; transparent pixels do not count. Null when nothing is opaque. */
export const dominantColorOf = (rgba: Uint8Array): string | null => {
  const bins = new Uint32Array(16 ** 3 * fields)
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    if (byteAt(rgba, at + 3) < 128) continue
    const bin = fields * (((byteAt(rgba, at) >> 4) << 8) | ((byteAt(rgba, at + 1) >> 4) << 4) | (byteAt(rgba, at + 2) >> 4))
    add(bins, bin, 1)
    for (let channel = 0; channel < 3; channel++) add(bins, bin + 1 + channel, byteAt(rgba, at + channel))
  }
  let top = 0
  for (let bin = 0; bin < bins.length; bin += fields) if ((bins[bin] ?? 0) > (bins[top] ?? 0)) top = bin
  const [count = 0, ...sums] = bins.subarray(top, top + fields)
  if (count === 0) return null
  return `#${sums
    .map((sum) =>
      Math.round(sum / count)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`
}

/** How many pixels, then the sum of each channel. */
const fields = 4

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0

const add = (bins: Uint32Array, at: number, amount: number): void => {
  bins[at] = (bins[at] ?? 0) + amount
}
