import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const most = { maxBuffer: 256 * 1024 * 1024 }

/** One exiftool for many commands: each list is one, ended by its file. @returns what it printed */
export const exiftool = async (folder: string, commands: readonly (readonly string[])[]): Promise<string> => {
  if (commands.length === 0) return ''
  const list = join(folder, 'exiftool.args')
  await writeFile(list, commands.map((command) => `${[...command, '-execute'].join('\n')}\n`).join(''))
  const { stdout } = await run('exiftool', ['-@', list, '-common_args', '-m'], most).catch((err: unknown) => {
    if (err instanceof Error && 'stdout' in err && typeof err.stdout === 'string') return { stdout: err.stdout }
    throw err
  })
  return stdout
}

export interface Tag {
  readonly group: string
  readonly name: string
  readonly value: string
}

/** All that exiftool finds in each file, in embedded pictures and timed tracks too. */
export const tagsOf = async (folder: string, paths: readonly string[]): Promise<Map<string, Tag[]>> => {
  const found = new Map<string, Tag[]>(paths.map((path) => [path, []]))
  for (let at = 0; at < paths.length; at += 50) {
    const text = await exiftool(
      folder,
      paths
        .slice(at, at + 50)
        .map((path) => ['-echo1', `======== ${path}`, '-a', '-G1', '-s', '-n', '-ee3', '-api', 'largefilesupport=1', path]),
    )
    let tags: Tag[] = []
    for (const line of text.split('\n')) {
      const path = /^======== (.*)$/.exec(line)?.[1]
      if (path !== undefined) tags = found.get(path) ?? []
      const [, group, name, value] = /^\[(.*?)\]\s+(\S+)\s*: ?(.*)$/.exec(line) ?? []
      if (group !== undefined && name !== undefined && value !== undefined) tags.push({ group, name, value })
    }
  }
  return found
}

/** ffmpeg with a list of arguments. */
export const ffmpeg = async (args: readonly string[]): Promise<string> => {
  const { stdout } = await run('ffmpeg', ['-nostdin', '-hide_banner', '-v', 'error', '-y', ...args], most)
  return stdout
}

/** Tags that ffprobe shows: of the container, its tracks and its chapters. */
export const probedTags = async (path: string): Promise<Tag[]> => {
  const { stdout } = await run('ffprobe', ['-v', 'error', '-show_format', '-show_streams', '-show_chapters', '-of', 'flat', path], most)
  return stdout.split('\n').flatMap((line) => {
    const [, group, name, value] = /^(.*)\.tags\.([^=]+)="?(.*?)"?$/.exec(line) ?? []
    return group !== undefined && name !== undefined && value !== undefined ? [{ group, name, value }] : []
  })
}

/** A digest of every decoded frame and sample, by a decoder that is not the jail's; `png` is a path that it may use on the way. */
export const decodedDigest = async (path: string, type: string, png: string): Promise<string> => {
  const decoder = type === 'image/heic' ? 'heif-convert' : type === 'image/avif' ? 'avifdec' : null
  if (decoder === null)
    return ffmpeg(['-noautorotate', '-i', `file:${path}`, '-map', '0:v?', '-map', '0:a?', '-f', 'streamhash', '-hash', 'md5', '-'])
  await run(decoder, [path, png], most)
  return ffmpeg(['-i', `file:${png}`, '-f', 'streamhash', '-hash', 'md5', '-'])
}
