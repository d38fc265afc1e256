import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openStudio } from '../../test/journeys/fixtures/av-files.ts'
import { openHouse, type ProfileName } from '../ffmpeg/house.ts'
import type { ProofContext } from '../harness.ts'
import type { Canaries } from './canaries.ts'
import type { Ears } from './ears.ts'

/** Where ffmpeg itself is told secrets: it reads what films and sounds say of themselves, and says a lot when one of them is broken. */
export const playFilms = async (context: Pick<ProofContext, 'folder' | 'size'>, canaries: Canaries, ears: Ears): Promise<number> => {
  const folder = join(context.folder, 'films')
  mkdirSync(folder)
  const [studio, house] = [await openStudio(), await openHouse(folder, { hasSandbox: false })]
  const notes = (...names: readonly string[]) =>
    names.flatMap((name) => ['-metadata', `${name}=${canaries.plant(`the ${name} in a film`)}`])
  const picture = (seconds: number) => ['-f', 'lavfi', '-i', `testsrc2=size=64x48:rate=25:duration=${seconds}`]
  const sound = ['-f', 'lavfi', '-i', 'sine=440:duration=1']
  const track = ['-metadata:s:v', `handler_name=${canaries.plant('the name of a track')}`]
  try {
    const film = await studio.make('film.mp4', ...picture(1), ...sound, '-c:v', 'libx264', ...notes('title', 'artist', 'comment'), ...track)
    const long = await studio.make(
      'long.mp4',
      ...picture(20),
      '-c:v',
      'libx264',
      '-movflags',
      '+faststart',
      ...notes('title', 'location'),
      ...track,
    )
    const broken = Buffer.from(long).fill(0xa5, Math.floor(long.length * 0.4), Math.floor(long.length * 0.6))
    const song = await studio.make('song.mp3', ...sound, ...notes('title', 'album', 'lyrics'))
    const all: readonly (readonly [fate: string, profile: ProfileName, extension: string, bytes: Buffer])[] = [
      ['quarantined', 'lesson', 'mp4', film.subarray(0, film.length >> 1)],
      ['degraded', 'raw', 'mp4', broken],
      ['ready', 'raw', 'mp3', song],
      ['ready', 'lesson', 'mp4', film],
    ]
    // What goes wrong is said most about.
    const sent = context.size === 'ci' ? all.slice(0, 2) : all
    for (const [fate, profile, extension, bytes] of sent) {
      const { state } = await house.send(profile, `${canaries.plant('the file name of a film', 'told')}.${extension}`, bytes)
      if (state !== fate) throw new Error(`a film that should be ${fate} is ${state}`)
    }
    const lines = (await house.told()).split('\n')
    const isRow = (line: string): boolean => /^rindle(_queue)?\./.test(line)
    ears.readRows(lines.filter(isRow).join('\n'))
    for (const line of lines.filter((one) => !isRow(one))) ears.logger.info({}, line)
    return sent.length
  } finally {
    await studio.close()
    await house.close()
  }
}
