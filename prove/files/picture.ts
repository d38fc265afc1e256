import sharp, { type Sharp } from 'sharp'

/** A good file that can be made, and what it is. */
export interface Made {
  readonly label: string
  readonly filename: string
  bytes(): Promise<Uint8Array>
}

export const made = (label: string, extension: string, bytes: () => Promise<Uint8Array>): Made => ({
  label,
  filename: `good.${extension}`,
  bytes,
})

export interface Subject {
  readonly width: number
  readonly height: number
  readonly alpha?: boolean
  readonly grey?: boolean
  /** Eight bits a channel unless sixteen are asked for. */
  readonly deep?: boolean
}

/** Something to look at: a gradient with shapes and grain, different everywhere, the same for the same size. */
export const subject = ({ width, height, alpha = false, grey = false, deep = false }: Subject): Sharp => {
  const channels = grey ? (alpha ? 2 : 1) : alpha ? 4 : 3
  const pixels = deep ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels)
  const top = deep ? 65_535 : 255
  let grain = 12_345
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < channels; channel++) {
        grain = (Math.imul(grain, 1_103_515_245) + 12_345) >>> 0
        const shape = channel % 2 === 0 ? x / width : y / height
        const isAlpha = alpha && channel === channels - 1
        const light = isAlpha ? Number((x >> 3) % 2 === (y >> 3) % 2) : 0.8 * Math.abs(shape - channel * 0.2) + ((grain >>> 16) % 64) / 400
        pixels[at++] = Math.min(1, light) * top
      }
  const opened = sharp(pixels, { raw: { width, height, channels }, limitInputPixels: false })
  return deep ? opened.toColourspace(grey ? 'grey16' : 'rgb16') : grey ? opened.toColourspace('b-w') : opened
}

/** Frames that differ, one below the other. */
export const frames = async (width: number, height: number, count: number, alpha: boolean): Promise<Sharp> => {
  const each = Array.from({ length: count }, (_, at) =>
    subject({ width, height, alpha })
      .modulate({ hue: at * 40 })
      .png({ compressionLevel: 1 })
      .toBuffer(),
  )
  return sharp(await Promise.all(each), { join: { animated: true } })
}

/** Megapixels of a photo, enlarged from a smaller one so that it is made in moments. */
export const photoOf = async (width: number, height: number): Promise<Sharp> => {
  const scale = 8
  const small = await subject({ width: width / scale, height: height / scale })
    .png({ compressionLevel: 1 })
    .toBuffer()
  return sharp(small).resize(width, height, { kernel: 'nearest' })
}
