import { rgbaToThumbHash } from 'thumbhash'
import type { Size } from './geometry.ts'

/** A ThumbHash takes no picture with a longer side. */
export const placeholderSide = 100

/** ThumbHash in base64, of RGBA pixels no longer than `placeholderSide`. */
export const thumbHashOf = (rgba: Uint8Array, size: Size): string =>
  Buffer.from(rgbaToThumbHash(size.width, size.height, rgba)).toString('base64')

/** The mean of the most frequent sixteenth-by-channel colour, as `#rrggbb`; transparent pixels do not count. Null when nothing is opaque. */
export const dominantColorOf = (rgba: Uint8Array): string | null => {
  const bins = new Map<number, { weight: number; r: number; g: number; b: number }>()
  for (let at = 0; at + 3 < rgba.length; at += 4) {
    const [r = 0, g = 0, b = 0, weight = 0] = rgba.subarray(at, at + 4)
    if (weight < 128) continue
    const key = ((r >> 4) << 8) | ((g >> 4) << 4) | (b >> 4)
    const bin = bins.get(key) ?? { weight: 0, r: 0, g: 0, b: 0 }
    bins.set(key, { weight: bin.weight + 1, r: bin.r + r, g: bin.g + g, b: bin.b + b })
  }
  let top = { weight: 0, r: 0, g: 0, b: 0 }
  for (const bin of bins.values()) if (bin.weight > top.weight) top = bin
  if (top.weight === 0) return null
  const hex = (sum: number): string =>
    Math.round(sum / top.weight)
      .toString(16)
      .padStart(2, '0')
  return `#${hex(top.r)}${hex(top.g)}${hex(top.b)}`
}
