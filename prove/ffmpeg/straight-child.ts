import { createWriteStream, mkdirSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Recipe } from '../../src/core/recipe.ts'

/**
 * What a child of the jail would do with a file that every recogniser before it took for audio or video. It is started where only the code of the
 * library can be seen, so that is imported by the address that it is given.
 */
export interface Asked {
  readonly path: string
  readonly contentType: string
  /** To be made, and written into. */
  readonly folder: string
}

export interface Answered {
  /** Whatever was said: by us, and by the programs. */
  readonly said: string
  /** What the gate's part came to: `pass`, or a code. */
  readonly gate: string
  /** Names of what was made. */
  readonly made: readonly string[]
}

const source = process.argv[2] ?? ''
const { attendAv }: typeof import('../../src/adapters/processing/av/attend-av.ts') = await import(
  `${source}/adapters/processing/av/attend-av.ts`
)
const { makeAvVariants }: typeof import('../../src/adapters/processing/av/make-av.ts') = await import(
  `${source}/adapters/processing/av/make-av.ts`
)
const { runFfmpeg, runFfprobe }: typeof import('../../src/adapters/processing/av/run.ts') = await import(
  `${source}/adapters/processing/av/run.ts`
)
const recipes: typeof import('../../src/core/av-recipes.ts') = await import(`${source}/core/av-recipes.ts`)
const { usualPlayedLimits }: typeof import('../../src/core/played.ts') = await import(`${source}/core/played.ts`)
const { isRindleError }: typeof import('../../src/core/errors.ts') = await import(`${source}/core/errors.ts`)

const limits = {
  maxPixels: 64_000_000,
  maxSidePixels: 16_383,
  maxFrames: 300,
  ...usualPlayedLimits,
  gateTimeoutMs: 11_000,
  timeoutMs: 20_000,
}
const { video, audio, poster, strip, preview, waveform } = recipes
const wanted: readonly (readonly [string, Recipe])[] = [
  ['poster', poster({ at: 'first' })],
  ['web', video({ width: 64, height: 48 })],
  ['song', audio()],
  ['scrub', strip()],
  ['moves', preview()],
  ['wave', waveform({ length: 10 })],
]
/** As a probe would describe a film, had it found one. */
const tracks = {
  picture: {
    ...{ index: 0, codec: 'h264', width: 64, height: 48, sidePixels: 64, pixels: 3_072, framesPerSecond: 10, rotation: 0 },
    ...{ isSquare: true, pixelFormat: 'yuv420p', isHdr: false, bitsPerSecond: null },
  },
  sound: { index: 1, codec: 'aac', durationMs: 1_000, channels: 1, samplesPerSecond: 44_100, bitsPerSecond: null, profile: null },
  durationMs: 1_000,
}

const wordsOf = (err: unknown): string => (isRindleError(err) ? `${err.message} ${JSON.stringify(err.details)}` : String(err))

const attempt = async (work: () => Promise<string>): Promise<string> => work().catch(wordsOf)

const answer = async ({ path, contentType, folder }: Asked): Promise<Answered> => {
  mkdirSync(folder)
  const input = { path, contentType }
  let gate = 'pass'
  const gated = await attempt(async () =>
    JSON.stringify(
      await attendAv({ path, limits }, contentType, async () => undefined).catch((err: unknown) => {
        gate = isRindleError(err) ? err.code : String(err)
        throw err
      }),
    ),
  )
  const ask = ['-show_format', '-show_streams', '-show_programs', '-show_chapters', '-of', 'json']
  const probed = await attempt(async () => {
    const { stdout, complaints } = await runFfprobe(input, ask, { timeoutMs: 10_000 })
    return `${stdout.toString('latin1')}${complaints}`
  })
  const copied = await attempt(async () => {
    const output = ['-map', '0', '-c', 'copy', '-f', 'nut', `file:${folder}/copy.nut`]
    return (await runFfmpeg(input, output, { timeoutMs: 10_000 })).complaints
  })
  const wishes = wanted.map(([name, recipe]) => ({ name, recipe }))
  const made: string[] = []
  const variants = await attempt(async () => {
    const all = await makeAvVariants({ input, folder, tracks, wishes, progress: () => undefined, timeoutMs: 20_000 })
    made.push(...all.flatMap((one) => (one.ok ? [one.name] : [])))
    return JSON.stringify(all)
  })
  return { said: [gated, probed, copied, variants].join('\n'), gate, made }
}

const replies = createWriteStream('', { fd: 3 })
const say = (reply: unknown): void => void replies.write(`${JSON.stringify(reply)}\n`)
say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const asked: Asked | { readonly forget: string } = JSON.parse(line)
  if ('forget' in asked) rmSync(asked.forget, { recursive: true, force: true })
  else say(await answer(asked))
}
