import { loudnessFilter, type Tracks } from './encode.ts'
import { type AvInput, runFfmpeg } from './run.ts'

/** What the second pass is told of the first, by ffmpeg's names for it. */
const measures = {
  input_i: 'measured_I',
  input_tp: 'measured_TP',
  input_lra: 'measured_LRA',
  input_thresh: 'measured_thresh',
  target_offset: 'offset',
}

/**
 * The first of two passes over the sound of a file: the filter that the second is to use, which knows how loud it is and changes the level alone
 * where that is enough. Null where nothing could be measured, as in silence, and one pass has to do.
 *
 * @throws RindleError as `runFfmpeg` does
 */
export const measureLoudness = async (input: AvInput, { sound }: Tracks, timeoutMs: number): Promise<string | null> => {
  if (!sound) return null
  const output = [
    '-v',
    'info',
    '-nostats',
    '-map',
    `0:${sound.index}`,
    '-vn',
    '-af',
    `${loudnessFilter}:print_format=json`,
    '-f',
    'null',
    '-',
  ]
  const run = await runFfmpeg(input, output, { timeoutMs })
  return run.status === 0 ? secondPassOf(run.complaints) : null
}

/** Made of the last list of numbers in what ffmpeg printed. */
export const secondPassOf = (printed: string): string | null => {
  const start = printed.lastIndexOf('{')
  const told = start < 0 ? '' : printed.slice(start, printed.indexOf('}', start) + 1)
  const settings = Object.entries(measures).map(([name, option]) => {
    const found = new RegExp(`"${name}"\\s*:\\s*"(-?\\d{1,4}(?:\\.\\d{1,4})?)"`).exec(told)?.[1]
    return found === undefined ? null : `${option}=${found}`
  })
  return settings.includes(null) ? null : [loudnessFilter, ...settings, 'linear=true'].join(':')
}
