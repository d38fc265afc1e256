export interface Size {
  readonly width: number
  readonly height: number
}

export const areaOf = ({ width, height }: Size): number => width * height

/**
 * How large a picture is that is fitted into a box, its shape kept: never larger than it was, both sides even, as encoders of video need
 * them, and never less than two.
 */
export const fitInside = (shown: Size, box: Size): Size => {
  const scale = Math.min(1, box.width / shown.width, box.height / shown.height)
  return { width: even(shown.width, scale), height: even(shown.height, scale) }
}

/** The box of a film turns with it: what is higher than wide is fitted into 720 × 1280. */
export const turnedFor = (shown: Size, { width, height }: Size): Size => {
  const isUpright = shown.height > shown.width
  return isUpright === height > width ? { width, height } : { width: height, height: width }
}

/** Filters that bring a picture to a size, its samples square. */
export const scaled = ({ width, height }: Size): string[] => [`scale=${width}:${height}:flags=bicubic`, 'setsar=1']

/**
 * Filters that bring brightness beyond a page's down to it; none where there is none. They belong after those that make a picture smaller, since
 * nothing costs more for each pixel.
 */
export const toneMapped = ({ isHdr }: { readonly isHdr: boolean }): string[] =>
  isHdr
    ? [
        ...['zscale=transfer=linear:npl=203', 'format=gbrpf32le', 'zscale=primaries=bt709', 'tonemap=tonemap=hable:desat=0'],
        'zscale=transfer=bt709:matrix=bt709:range=tv',
      ]
    : []

/** ffmpeg's scale for JPEG runs from 2, the best, to 31. One picture keeps one thread busy, and each of them takes memory for all of it. */
export const jpegArguments = (quality: number): string[] => [
  '-c:v',
  'mjpeg',
  '-threads:v',
  '1',
  '-q:v',
  String(Math.round(2 + ((100 - quality) * 29) / 99)),
]

const even = (side: number, scale: number): number => Math.max(2, Math.min(2 * Math.round((side * scale) / 2), 2 * Math.floor(side / 2)))
