import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp, { type Sharp } from 'sharp'
import type { Random } from '../harness.ts'
import { ffmpeg } from './tools.ts'

const run = promisify(execFile)

/** A good file without a place in it. */
export interface Source {
  readonly name: string
  readonly type: string
  readonly extension: string
  readonly path: string
}

const pixelsOf = (random: Random, width: number, height: number): Buffer => {
  const noise = random.bytes(width * height)
  const pixels = Buffer.alloc(width * height * 3)
  for (let at = 0; at < width * height; at += 1) {
    const [x, y] = [at % width, Math.floor(at / width)]
    pixels.set([(x * 255) / width, (y * 255) / height, (noise[at] ?? 0) >> 2], at * 3)
  }
  return pixels
}

const widthOf = 96
const heightOf = 64

/** Those that `sourceNames` can be chosen from: small pictures, films and sounds of every type, made anew: sRGB, Display P3 and grey, plain and progressive, one page and several. */
export const makeSources = async (folder: string, random: Random, isWanted: (name: string) => boolean): Promise<Source[]> => {
  const raw = { width: widthOf, height: heightOf, channels: 3 as const }
  const plain = (): Sharp => sharp(pixelsOf(random, widthOf, heightOf), { raw })
  const wide = (): Sharp => plain().withIccProfile('p3')
  const pages = Buffer.concat([pixelsOf(random, widthOf, heightOf), pixelsOf(random, widthOf, heightOf)])
  const moving = (): Sharp => sharp(pages, { raw: { ...raw, height: heightOf * 2, pageHeight: heightOf } })
  const pictures: readonly (readonly [string, string, string, Sharp])[] = [
    ['jpeg', 'image/jpeg', 'jpg', plain().jpeg({ quality: 90 })],
    ['jpeg-p3', 'image/jpeg', 'jpg', wide().jpeg({ quality: 85 })],
    ['jpeg-progressive', 'image/jpeg', 'jpg', plain().jpeg({ progressive: true })],
    ['jpeg-grey', 'image/jpeg', 'jpeg', plain().greyscale().jpeg()],
    ['png', 'image/png', 'png', plain().png()],
    ['png-p3', 'image/png', 'png', wide().png()],
    ['png-palette', 'image/png', 'png', plain().png({ palette: true })],
    ['webp', 'image/webp', 'webp', plain().webp()],
    ['webp-p3', 'image/webp', 'webp', wide().webp()],
    ['webp-lossless', 'image/webp', 'webp', plain().webp({ lossless: true })],
    ['gif', 'image/gif', 'gif', plain().gif()],
    ['gif-moving', 'image/gif', 'gif', moving().gif({ delay: [100, 100] })],
    ['tiff', 'image/tiff', 'tif', plain().tiff()],
    ['tiff-p3', 'image/tiff', 'tiff', wide().tiff({ compression: 'lzw' })],
    ['tiff-tiled', 'image/tiff', 'tif', plain().tiff({ compression: 'deflate', tile: true, tileWidth: 32, tileHeight: 32 })],
    ['avif', 'image/avif', 'avif', plain().avif({ effort: 0 })],
    ['avif-p3', 'image/avif', 'avif', wide().avif({ effort: 0 })],
  ]
  const made: Source[] = []
  for (const [name, type, extension, picture] of pictures.filter(([name]) => isWanted(name))) {
    const path = join(folder, `source-${name}.${extension}`)
    await writeFile(path, await picture.toBuffer())
    made.push({ name, type, extension, path })
  }
  if (isWanted('heic')) {
    const [png, heic] = [join(folder, 'of-heic.png'), join(folder, 'source-heic.heic')]
    await plain().png().toFile(png)
    await run('heif-enc', ['-q', '60', '-o', heic, png])
    made.push({ name: 'heic', type: 'image/heic', extension: 'heic', path: heic })
  }
  const names = [1, 2, 3].map((index) => join(folder, `of-moving-${index}.png`))
  if (isWanted('avif-moving')) {
    for (const name of names) await plain().png().toFile(name)
    const path = join(folder, 'source-avif-moving.avif')
    await run('avifenc', ['-s', '10', '--fps', '5', ...names, path])
    made.push({ name: 'avif-moving', type: 'image/avif', extension: 'avif', path })
  }
  return [...made, ...(await makeFilms(folder, isWanted))]
}

/** Besides the plain JPEG and PNG, which every run needs. */
export const sourceNames: readonly string[] =
  'jpeg-p3 jpeg-progressive jpeg-grey png-p3 png-palette webp webp-p3 webp-lossless gif gif-moving png-moving avif-moving tiff tiff-p3 tiff-tiled avif avif-p3 heic mp4 mp4-faststart mp4-fragments mov m4a webm ogg opus mp3 flac wav webm-live mkv'.split(
    ' ',
  )

const picture = ['-f', 'lavfi', '-i', 'testsrc=size=128x96:rate=10:duration=1']
const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=1:sample_rate=48000']
const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac']
const films: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['mp4', 'video/mp4', 'mp4', [...picture, ...sound, ...h264]],
  ['mp4-faststart', 'video/mp4', 'mp4', [...picture, ...h264, '-movflags', '+faststart']],
  ['mp4-fragments', 'video/mp4', 'mp4', [...picture, ...h264, '-movflags', 'frag_keyframe+empty_moov']],
  ['mov', 'video/quicktime', 'mov', [...picture, ...sound, ...h264]],
  ['m4a', 'audio/mp4', 'm4a', [...sound, '-c:a', 'aac']],
  ['webm', 'video/webm', 'webm', [...picture, ...sound, '-c:v', 'libvpx', '-b:v', '200k', '-deadline', 'realtime', '-c:a', 'libopus']],
  [
    'webm-live',
    'video/webm',
    'webm',
    [...picture, '-c:v', 'libvpx', '-b:v', '200k', '-deadline', 'realtime', '-live', '1', '-fflags', '+bitexact', '-flags:v', '+bitexact'],
  ],
  ['mkv', 'video/matroska', 'mkv', [...picture, ...sound, ...h264]],
  ['png-moving', 'image/png', 'png', [...picture, '-f', 'apng']],
  ['ogg', 'audio/ogg', 'ogg', [...sound, '-c:a', 'libvorbis']],
  ['opus', 'audio/ogg', 'opus', [...sound, '-c:a', 'libopus']],
  ['mp3', 'audio/mpeg', 'mp3', [...sound, '-c:a', 'libmp3lame', '-write_xing', '1']],
  ['flac', 'audio/flac', 'flac', [...sound, '-c:a', 'flac']],
  ['wav', 'audio/wav', 'wav', [...sound, '-c:a', 'pcm_s16le']],
]

const makeFilms = async (folder: string, isWanted: (name: string) => boolean): Promise<Source[]> => {
  const made: Source[] = []
  for (const [name, type, extension, args] of films.filter(([name]) => isWanted(name))) {
    const path = join(folder, `source-${name}.${extension}`)
    await ffmpeg([...args, '-map_metadata', '-1', `file:${path}`])
    made.push({ name, type, extension, path })
  }
  return made
}
