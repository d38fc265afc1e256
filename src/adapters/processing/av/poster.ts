import { existsSync, rmSync, statSync } from 'node:fs'
import type { PosterRecipe } from '../../../core/recipe.ts'
import type { Picture } from './probe-reply.ts'
import { type AvInput, runFfmpeg } from './run.ts'
import { fitInside, jpegArguments, scaled, toneMapped } from './scaling.ts'

/** A way to a frame: options of the input, and filters that let through what will do. */
interface Attempt {
  readonly options: readonly string[]
  readonly filters: readonly string[]
}

interface Poster {
  readonly recipe: PosterRecipe
  readonly path: string
  readonly durationMs: number
  readonly timeoutMs: number
}

/** So much of a film is looked through, of which whole pictures alone are decoded: an hour takes no longer than a minute. */
const searched = ['-skip_frame', 'nokey', '-t', '60']
/** More than nine tenths of it are darker than this: it shows nothing. */
const notBlack = ['blackframe=amount=0:threshold=32', 'metadata=select:key=lavfi.blackframe.pblack:value=90:function=less']
const otherScene = "select='gt(scene,0.4)'"

/**
 * Takes one frame of a film out of it, to be shown before it plays: the first of another scene, else the first that is not black, else the
 * first there is; or the one at a time, else the last before it.
 *
 * @returns whether there is one at `path` now.
 * @throws RindleError as `runFfmpeg` does
 */
export const takePoster = async (input: AvInput, picture: Picture, { recipe, path, durationMs, timeoutMs }: Poster): Promise<boolean> => {
  const sized = [...scaled(fitInside(picture, recipe)), ...toneMapped(picture), 'format=yuv420p'].join(',')
  const encoder = recipe.format === 'jpeg' ? jpegArguments(recipe.quality) : ['-c:v', 'libwebp', '-quality', String(recipe.quality)]
  for (const { options, filters } of attemptsAt(recipe.at, durationMs)) {
    const chosen = [...filters, sized].join(',')
    const output = [
      '-map',
      `0:${picture.index}`,
      '-an',
      '-sn',
      '-dn',
      '-map_metadata',
      '-1',
      '-vf',
      chosen,
      '-frames:v',
      '1',
      '-fps_mode',
      'vfr',
    ]
    const run = await runFfmpeg({ ...input, options }, [...output, ...encoder, '-f', 'image2', '-update', '1', `file:${path}`], {
      timeoutMs,
    })
    if (run.status === 0 && existsSync(path) && statSync(path).size > 0) return true
    rmSync(path, { force: true })
  }
  return false
}

const attemptsAt = (at: PosterRecipe['at'], durationMs: number): Attempt[] => {
  const whatever: Attempt = { options: [], filters: [] }
  const bright: Attempt = { options: searched, filters: notBlack }
  if (at === 'scene') return [{ options: searched, filters: [...notBlack, otherScene] }, bright, whatever]
  if (at === 'first') return [bright, whatever]
  const seconds = Math.min(at, Math.max(0, durationMs / 1000 - 0.1))
  return [
    { options: ['-ss', String(seconds)], filters: [] },
    { options: ['-ss', String(seconds), '-noaccurate_seek'], filters: [] },
    whatever,
  ]
}
