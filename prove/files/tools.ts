import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { made, type Made, subject } from './picture.ts'

const run = promisify(execFile)

/** True where a program of this name can be started. */
export const hasProgram = (name: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))

let turn = 0

/** A HEIC by Debian's encoder, from a picture as PNG. */
export const heicOf = async (folder: string, png: Uint8Array, options: readonly string[]): Promise<Uint8Array> => {
  await mkdir(folder, { recursive: true })
  const name = join(folder, `heic${(turn += 1)}`)
  await writeFile(`${name}.png`, png)
  await run('heif-enc', [...options, '-o', `${name}.heic`, `${name}.png`], { timeout: 120_000 })
  return readFile(`${name}.heic`)
}

/** Small HEICs in several shapes; none where the encoder is not installed. */
export const heics = (folder: string): Made[] =>
  hasProgram('heif-enc')
    ? [
        ['-q', '50'],
        ['-q', '90', '-p', 'chroma=444'],
        ['-L', '-p', 'chroma=444', '--matrix_coefficients=0'],
        ['-q', '60', '-b', '10'],
        ['-q', '40', '-t', '32'],
      ].flatMap((options) =>
        [
          [64, 48],
          [130, 200],
          [321, 201],
        ].map(([width = 1, height = 1]) =>
          made(`HEIC ${width}x${height} ${options.join(' ')}`, 'heic', async () =>
            heicOf(
              folder,
              await subject({ width, height, deep: options.includes('10') })
                .png()
                .toBuffer(),
              options,
            ),
          ),
        ),
      )
    : []

/** A second of picture and sound, by a test source of ffmpeg's own. */
const ffmpegOf = async (folder: string, extension: string, options: readonly string[]): Promise<Uint8Array> => {
  await mkdir(folder, { recursive: true })
  const path = join(folder, `av${(turn += 1)}.${extension}`)
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:rate=10:duration=1']
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=1']
  const inputs = options.includes('-vn') ? sound : options.includes('-an') ? picture : [...picture, ...sound]
  await run('ffmpeg', ['-v', 'error', '-y', ...inputs, ...options, '-bitexact', path], { timeout: 120_000 })
  return readFile(path)
}

const recordings: readonly (readonly [extension: string, ...options: string[]])[] = [
  ['mp4', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
  ['mp4', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-movflags', '+faststart'],
  ['mp4', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-movflags', 'frag_keyframe+empty_moov', '-an'],
  ['mov', '-c:v', 'mpeg4', '-c:a', 'pcm_s16le'],
  ['webm', '-c:v', 'libvpx', '-c:a', 'libopus'],
  ['webm', '-c:v', 'libvpx-vp9', '-an'],
  ['mp3', '-vn', '-c:a', 'libmp3lame'],
  ['m4a', '-vn', '-c:a', 'aac'],
  ['ogg', '-vn', '-c:a', 'libvorbis'],
  ['flac', '-vn', '-c:a', 'flac'],
  ['wav', '-vn', '-c:a', 'pcm_s16le'],
]

/** A second of everything that is played; none where ffmpeg is not installed. */
export const recordingsIn = (folder: string): Made[] =>
  hasProgram('ffmpeg')
    ? recordings.map(([extension, ...options]) =>
        made(`${extension} ${options.join(' ')}`, extension, () => ffmpegOf(folder, extension, options)),
      )
    : []
