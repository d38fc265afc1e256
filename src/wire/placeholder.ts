import { rgbaToDataURL, thumbHashToRGBA } from 'thumbhash'

/**
 * A ThumbHash drawn as a PNG of at most 16 pixels a side, in a data URL of about a kilobyte, to be stretched behind a picture
 * that is still on its way. Null for a hash that is damaged, and for pictures with transparency, behind which it would stay visible.
 */
export const placeholderUrl = (hash: string | null): string | null => {
  const bytes = hash === null ? null : bytesOf(hash)
  if (!bytes || bytes.byteLength < 5 || hasAlpha(bytes)) return null
  const { w, h, rgba } = thumbHashToRGBA(bytes)
  const half = halved(w, h, rgba)
  return rgbaToDataURL(half.width, half.height, half.rgba)
}

const bytesOf = (base64: string): Uint8Array | null => {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return null
  }
}

/** The 24th bit of the header, @see https://evanw.github.io/thumbhash/ */
const hasAlpha = (hash: Uint8Array): boolean => ((hash[2] ?? 0) & 0x80) !== 0

const halved = (w: number, h: number, rgba: Uint8Array): { width: number; height: number; rgba: Uint8Array } => {
  const width = Math.max(1, w >> 1)
  const height = Math.max(1, h >> 1)
  const small = new Uint8Array(width * height * 4)
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      for (let channel = 0; channel < 4; channel += 1) {
        const at = (column: number, row: number): number => rgba[(Math.min(row, h - 1) * w + Math.min(column, w - 1)) * 4 + channel] ?? 0
        small[(y * width + x) * 4 + channel] =
          (at(2 * x, 2 * y) + at(2 * x + 1, 2 * y) + at(2 * x, 2 * y + 1) + at(2 * x + 1, 2 * y + 1)) >> 2
      }
  return { width, height, rgba: small }
}
