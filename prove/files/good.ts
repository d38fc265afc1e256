import sharp, { type AvifOptions, type JpegOptions, type PngOptions, type Sharp, type TiffOptions, type WebpOptions } from 'sharp'
import { frames, made, type Made, subject } from './picture.ts'

type Size = readonly [width: number, height: number]

const sizes: readonly Size[] = [
  [1, 1],
  [7, 5],
  [64, 48],
  [97, 160],
  [181, 120],
]
const text = (value: object): string =>
  Object.entries(value)
    .filter(([, one]) => one !== false && one !== undefined)
    .map(([name, one]) => (one === true ? name : `${name} ${one}`))
    .join(' ')

const each = <A, B>(first: readonly A[], second: readonly B[]): [A, B][] => first.flatMap((a) => second.map((b): [A, B] => [a, b]))
const shape = ([width, height]: Size): string => `${width}x${height}`

const jpegOptions: readonly (JpegOptions & { grey?: boolean; cmyk?: boolean })[] = [
  { chromaSubsampling: '4:2:0' },
  { chromaSubsampling: '4:4:4' },
  { chromaSubsampling: '4:2:0', progressive: true },
  { chromaSubsampling: '4:4:4', progressive: true },
  { grey: true },
  { grey: true, progressive: true },
  { cmyk: true },
  { cmyk: true, progressive: true },
  { mozjpeg: true },
  { trellisQuantisation: true, overshootDeringing: true, quality: 95 },
  { quality: 1 },
  { quality: 100, chromaSubsampling: '4:4:4', optimiseCoding: false },
]
const jpegs = (): Made[] =>
  each(sizes, jpegOptions).map(([size, { grey = false, cmyk = false, ...options }]) =>
    made(`JPEG ${shape(size)} ${text({ grey, cmyk, ...options })}`, 'jpg', () => {
      const picture = subject({ width: size[0], height: size[1], grey })
      return (cmyk ? picture.toColourspace('cmyk').withIccProfile('cmyk') : picture).jpeg(options).toBuffer()
    }),
  )

const pngOptions: readonly (PngOptions & { grey?: boolean; alpha?: boolean; deep?: boolean })[] = [
  ...[false, true].flatMap((progressive) =>
    [false, true].flatMap((alpha) => [false, true].flatMap((grey) => [false, true].map((deep) => ({ progressive, alpha, grey, deep })))),
  ),
  ...[2, 4, 16, 256].flatMap((colours) => [
    { palette: true, colours },
    { palette: true, colours, alpha: true, progressive: true },
  ]),
]
const pngs = (): Made[] =>
  each(sizes, pngOptions).map(([size, { grey = false, alpha = false, deep = false, ...options }]) =>
    made(`PNG ${shape(size)} ${text({ grey, alpha, deep, ...options })}`, 'png', () =>
      subject({ width: size[0], height: size[1], grey, alpha, deep }).png(options).toBuffer(),
    ),
  )

const webpOptions: readonly (WebpOptions & { alpha?: boolean })[] = [false, true].flatMap((alpha) => [
  { alpha, quality: 10 },
  { alpha, quality: 80 },
  { alpha, lossless: true, effort: 0 },
  { alpha, nearLossless: true },
  { alpha, smartSubsample: true, alphaQuality: 30 },
])
const webps = (): Made[] =>
  each(sizes, webpOptions).map(([size, { alpha = false, ...options }]) =>
    made(`WebP ${shape(size)} ${text({ alpha, ...options })}`, 'webp', () =>
      subject({ width: size[0], height: size[1], alpha }).webp(options).toBuffer(),
    ),
  )

const avifOptions: readonly (AvifOptions & { alpha?: boolean; grey?: boolean })[] = [
  { chromaSubsampling: '4:2:0', effort: 0 },
  { chromaSubsampling: '4:4:4', effort: 0 },
  { alpha: true, effort: 0 },
  { grey: true, effort: 0 },
  { lossless: true, effort: 0 },
  { quality: 5, effort: 1 },
]
const avifs = (): Made[] =>
  each(sizes, avifOptions).map(([size, { alpha = false, grey = false, ...options }]) =>
    made(`AVIF ${shape(size)} ${text({ alpha, grey, ...options })}`, 'avif', () =>
      subject({ width: size[0], height: size[1], alpha, grey }).avif(options).toBuffer(),
    ),
  )

const tiffOptions: readonly (TiffOptions & { alpha?: boolean; deep?: boolean; grey?: boolean })[] = [
  ...(['none', 'deflate', 'lzw', 'packbits'] as const).flatMap((compression) => [
    { compression },
    { compression, alpha: true },
    { compression, deep: true },
    { compression, grey: true, tile: true },
  ]),
  { compression: 'jpeg' },
  { compression: 'jpeg', tile: true },
  { compression: 'webp' },
  { compression: 'lzw', predictor: 'horizontal' },
  { compression: 'deflate', predictor: 'float', deep: true },
  { compression: 'ccittfax4', bitdepth: 1, grey: true },
  { compression: 'none', bitdepth: 2, grey: true },
  { compression: 'deflate', bitdepth: 4, grey: true, predictor: 'none' },
  { compression: 'deflate', bigtiff: true },
  { compression: 'deflate', tile: true, pyramid: true },
  { compression: 'none', miniswhite: true, grey: true },
]
const tiffs = (): Made[] =>
  each(sizes, tiffOptions).map(([size, { alpha = false, deep = false, grey = false, ...options }]) =>
    made(`TIFF ${shape(size)} ${text({ alpha, deep, grey, ...options })}`, 'tif', () =>
      subject({ width: size[0], height: size[1], alpha, deep, grey }).tiff(options).toBuffer(),
    ),
  )

const gifs = (): Made[] =>
  each(
    sizes,
    [2, 16, 256].flatMap((colours) => [false, true].map((alpha) => ({ colours, alpha }))),
  ).flatMap(([size, { colours, alpha }]) => [
    made(`GIF ${shape(size)} ${colours} ${text({ alpha })}`, 'gif', () =>
      subject({ width: size[0], height: size[1], alpha }).gif({ colours }).toBuffer(),
    ),
  ])

const animations = (): Made[] =>
  each(sizes.slice(1), [2, 5, 12]).flatMap(([[width, height], count]) =>
    [false, true].flatMap((alpha) => [
      made(`GIF ${width}x${height}, ${count} frames ${text({ alpha })}`, 'gif', async () =>
        (await frames(width, height, count, alpha)).gif({ delay: 50, loop: alpha ? 0 : 3, keepDuplicateFrames: true }).toBuffer(),
      ),
      made(`WebP ${width}x${height}, ${count} frames ${text({ alpha })}`, 'webp', async () =>
        (await frames(width, height, count, alpha)).webp({ lossless: alpha, effort: 0, minSize: alpha }).toBuffer(),
      ),
    ]),
  )

/** With what cameras and editors put beside the pixels. */
const photo = async (width: number, height: number, orientation: number, profile?: string): Promise<Sharp> => {
  const picture = sharp(await subject({ width, height }).png().toBuffer()).withExif({
    IFD0: { Make: 'Maker', Model: 'Model', ImageDescription: 'São Paulo' },
    IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100', GPSLongitudeRef: 'W', GPSLongitude: '0/1 7/1 4366/100' },
  })
  return (profile ? picture.withIccProfile(profile) : picture).withMetadata({ orientation })
}

const formats = { jpg: 'jpeg', png: 'png', webp: 'webp', avif: 'avif', tif: 'tiff' } as const

/** Every orientation and colour profile that a photo comes with. */
export const photos = (): Made[] =>
  each(
    [
      [320, 200],
      [200, 320],
    ] as const,
    [1, 2, 3, 4, 5, 6, 7, 8],
  ).flatMap(([[width, height], orientation]) =>
    Object.entries(formats).map(([extension, format]) => {
      const profile = orientation % 2 === 0 ? 'p3' : undefined
      return made(`photo ${width}x${height} ${extension} orientation ${orientation} ${profile ?? ''}`, extension, async () =>
        (await photo(width, height, orientation, profile)).toFormat(format, { effort: 1 }).toBuffer(),
      )
    }),
  )

/** Small good pictures of every type that is decoded on a stock install. */
export const goodPictures = (): Made[] => [
  ...jpegs(),
  ...pngs(),
  ...webps(),
  ...avifs(),
  ...tiffs(),
  ...gifs(),
  ...animations(),
  ...photos(),
]
