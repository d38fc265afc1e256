import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { audio, poster, preview, strip, video, waveform } from '../../src/core/av-recipes.ts'
import { kindOf } from '../../src/core/content-type.ts'
import type { Recipes } from '../../src/core/recipe.ts'
import type { Tagged } from './tagged-file.ts'
import { iso6709 } from './taggings.ts'
import { ffmpeg, type Tag } from './tools.ts'

const songs = { song: audio(), mp3: audio({ preset: 'mp3_128k' }), wave: waveform({ length: 50 }) }
const films = {
  ...{ poster: poster(), scrub: strip({ everySeconds: 0.25 }), moves: preview() },
  /** The one is copied where it conforms, the other always made anew. */
  ...{ web: video(), small: video({ width: 64, height: 48 }) },
}

/** All that can be made of a film or a sound. */
export const playedRecipes = (type: string): Recipes => (kindOf(type) === 'video' ? { ...films, ...songs } : songs)

/** What containers say of themselves, whatever is in them. */
const ofContainers: Readonly<Record<string, RegExp>> = {
  ...{ major_brand: /^\w{3,4} ?$/, minor_version: /^\d+$/, compatible_brands: /^[\w ]+$/, language: /^und$/ },
  ...{ handler_name: /^(?:Video|Sound)Handler$/, vendor_id: /^\[0\]\[0\]\[0\]\[0\]$/, encoder: /^Lav[fc](?: \w+)?$/ },
}

/** No place: what is served of the film itself may say it. */
const word = 'Plauderei'

/** A film that tells all that ffmpeg carries from one file into the next unless it is told not to: of the whole, of each track, of each chapter. */
export const makeTalkingFilm = async (folder: string): Promise<Tagged> => {
  const [source, path, chapters] = [join(folder, 'talking-source.mp4'), join(folder, 'talking.mp4'), join(folder, 'talking.ffmetadata')]
  await writeFile(chapters, `;FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=${word}\n`)
  const inputs = ['testsrc=size=128x96:rate=10:duration=1', 'sine=frequency=440:duration=1'].flatMap((one) => ['-f', 'lavfi', '-i', one])
  await ffmpeg([...inputs, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', `file:${source}`])
  const ofTracks = [word, `GPS ${iso6709}`].flatMap((name, track) =>
    ['language=deu', `handler_name=${name}`].flatMap((tag) => [`-metadata:s:${track}`, tag]),
  )
  const ofAll = [`title=${word}`, `comment=GPS ${iso6709}`, `location=${iso6709}`].flatMap((tag) => ['-metadata', tag])
  await ffmpeg(['-i', source, '-i', chapters, '-map', '0', '-map_chapters', '1', '-c', 'copy', ...ofTracks, ...ofAll, `file:${path}`])
  return { source: { name: 'mp4', type: 'video/mp4', extension: 'mp4', path: source }, tagging: 'all that is carried along', path }
}

/** Tags of a variant that came from the file that it was made of, as ffprobe shows them: any but those of containers. */
export const broughtAlong = (tags: readonly Tag[]): readonly Tag[] =>
  tags.filter(({ name, value }) => !(Object.hasOwn(ofContainers, name) && ofContainers[name]?.test(value)))
