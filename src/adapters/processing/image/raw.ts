import type { Size } from './geometry.ts'
import type { Sharp } from './sharp.ts'

/** Decoded pixels, eight bits a channel, sRGB or grey, upright. */
export interface Raw extends Size {
  readonly pixels: Buffer
  readonly channels: 1 | 2 | 3 | 4
}

export const rawOf = async (pipeline: ReturnType<Sharp>): Promise<Raw> => {
  const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  return { pixels: data, width: info.width, height: info.height, channels: info.channels }
}

/** A pipeline that starts at decoded pixels. */
export const reopened = (sharp: Sharp, raw: Raw): ReturnType<Sharp> =>
  sharp(raw.pixels, { raw: { width: raw.width, height: raw.height, channels: raw.channels }, limitInputPixels: false })
