import { isAbsolute } from 'node:path'

/**
 * What every call of ffmpeg and ffprobe has to be: one input, a plain file by its whole path, opened by one demuxer and with the listed decoders, and
 * no word on stdin. @returns what a list of arguments has of it not
 */
export const breachesOfLaw = (program: string, args: readonly string[]): string[] => {
  if (args.length === 1 && args[0] === '-version') return []
  const inputs = args.flatMap((one, index) => (one === '-i' ? [index] : []))
  const [at] = inputs
  if (at === undefined || inputs.length > 1) return [`${inputs.length} inputs`]
  const before = args.slice(0, at)
  const after = args.slice(at + 2)
  const valuesOf = (name: string): string[] => before.flatMap((one, index) => (one === name ? [before[index + 1] ?? ''] : []))
  const only = (name: string): string => (valuesOf(name).length === 1 ? (valuesOf(name)[0] ?? '') : '')
  const demuxer = only('-f')
  const codecs = only('-codec_whitelist').split(',')
  const path = args[at + 1] ?? ''
  const wrong: readonly (readonly [string, boolean])[] = [
    ['the input is no plain file', !path.startsWith('file:') || !isAbsolute(path.slice('file:'.length))],
    ['protocols', only('-protocol_whitelist') !== 'file'],
    ['formats', !/^[a-z0-9]+$/.test(demuxer) || only('-format_whitelist') !== demuxer],
    ['a demuxer that follows references', /^(?:hls|concat|dash|sdp|rtsp|image2|lavfi|applehttp|imf|vobsub)/.test(demuxer)],
    ['codecs', codecs.length < 2 || codecs.some((one) => !/^[a-z0-9_]+$/.test(one))],
    ['the largest block', !(Number(only('-max_alloc')) <= 2 ** 29)],
    ['references of a movie', demuxer === 'mov' && only('-enable_drefs') !== '0'],
    ['stdin', program === 'ffmpeg' && before[0] !== '-nostdin'],
    ['options that open more', args.some((one) => opening.has(one))],
    ['an output that is no plain file', program === 'ffmpeg' && outputsOf(after).some((one) => !isOutput(one))],
  ]
  return wrong.flatMap(([words, isWrong]) => (isWrong ? [words] : []))
}

const opening: ReadonlySet<string> = new Set([
  '-allowed_extensions',
  '-safe',
  '-filter_script',
  '-filter_complex_script',
  '-attach',
  '-dump_attachment',
])

/** An output is what stands behind its format and the options of that. */
const outputsOf = (after: readonly string[]): string[] => after.filter((one) => /^[a-z]+:/.test(one) && !/^\d+:/.test(one))

const isOutput = (name: string): boolean => /^pipe:[13]$/.test(name) || (name.startsWith('file:') && isAbsolute(name.slice('file:'.length)))
