import { createHash } from 'node:crypto'
import { createReadStream, existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { messageOf, RindleError } from '../../../core/errors.ts'
import type { MadeVariant, VariantWish } from '../../../core/ports/jail.ts'
import type { PosterRecipe, PreviewRecipe, Recipe, StripRecipe, WaveformRecipe } from '../../../core/recipe.ts'
import type { VariantFacts } from '../../../core/variant-facts.ts'
import { extensionOfRecipe, typeOfRecipe } from '../../../core/variant-plan.ts'
import { readHeader } from '../image/header.ts'
import { withLoader } from '../image/sharp.ts'
import { encodeArguments, gridOf, latestSeconds, type Tracks, type Wanted } from './encode.ts'
import { measureLoudness } from './loudness.ts'
import { takePoster } from './poster.ts'
import { probeArguments, type Probed, probedFrom } from './probe-reply.ts'
import { progressIn } from './progress.ts'
import { type AvInput, runFfmpeg, runFfprobe } from './run.ts'
import { lacksMemory } from './sample.ts'
import { createPeakMeter, type PeakMeter } from './waveform.ts'

export interface AvJob {
  readonly input: AvInput
  readonly folder: string
  readonly tracks: Tracks
  readonly wishes: readonly VariantWish[]
  /** Told from 0 to 1 how far it is. */
  readonly progress: (fraction: number) => void
  readonly timeoutMs: number
}

type Of<R extends Recipe> = { readonly name: string; readonly recipe: R; readonly path: string }

/**
 * Makes what is wanted of a film or a sound: posters first, each by a seek, and all the rest in one run, which decodes the file once. What
 * was written is opened again and held against the file before it counts; what could not be made says so, and the others go on.
 *
 * @throws RindleError as `runFfmpeg` does
 */
export const makeAvVariants = async (job: AvJob): Promise<MadeVariant[]> => {
  const wishes = job.wishes.map(({ name, recipe }, index) => ({
    name,
    recipe,
    path: join(job.folder, `${index}.${extensionOfRecipe(recipe, false)}`),
  }))
  const made = new Map<string, MadeVariant>()
  for (const wish of wishes.filter(isPoster)) made.set(wish.name, await makePoster(job, wish))
  const rest = wishes.filter((wish) => !isPoster(wish))
  if (rest.length > 0) for (const variant of await runOnce(job, rest)) made.set(variant.name, variant)
  return wishes.map(({ name }) => made.get(name) ?? failedVariant(name))
}

const isPoster = (wish: Of<Recipe>): wish is Of<PosterRecipe> => wish.recipe.kind === 'poster'
const isWaveform = (wish: Of<Recipe>): wish is Of<WaveformRecipe> => wish.recipe.kind === 'waveform'
const isEncoded = (wish: Of<Recipe>): wish is Of<Wanted['recipe']> =>
  wish.recipe.kind === 'video' || wish.recipe.kind === 'audio' || wish.recipe.kind === 'strip' || wish.recipe.kind === 'preview'

const failedVariant = (variant: string): MadeVariant => ({
  ...{ name: variant, ok: false, code: 'variant_failed' },
  message: messageOf('variant_failed', { variant }),
})

const makePoster = async ({ input, tracks, timeoutMs }: AvJob, { name, recipe, path }: Of<PosterRecipe>): Promise<MadeVariant> => {
  const { picture, durationMs } = tracks
  const isTaken = picture !== null && (await takePoster(input, picture, { recipe, path, durationMs, timeoutMs }))
  return isTaken ? stored(name, recipe, path, await factsOfPicture(path, recipe)) : failedVariant(name)
}

const runOnce = async (job: AvJob, wishes: readonly Of<Recipe>[]): Promise<MadeVariant[]> => {
  const { tracks, timeoutMs } = job
  const input = { ...job.input, options: ['-t', latestSeconds(tracks.durationMs).toFixed(3)] }
  const encoded = wishes.filter(isEncoded)
  const meters = wishes.filter(isWaveform).map((wish) => ({ wish, meter: createPeakMeter(wish.recipe.length) }))
  const loudness = encoded.some(({ recipe }) => recipe.kind === 'audio' && recipe.loudness === 'two-pass')
    ? await measureLoudness(input, tracks, timeoutMs)
    : null
  const wanted = encoded.map((wish): Wanted => wantedOf(wish, loudness))
  const progress = progressIn(tracks.durationMs, job.progress)
  const output = [
    '-max_error_rate',
    mostBrokenShare,
    '-nostats',
    '-stats_period',
    '0.5',
    '-progress',
    'pipe:1',
    ...encodeArguments(tracks, wanted, meters.length > 0),
  ]
  const run = await runFfmpeg(input, output, {
    ...{ timeoutMs, onOutput: progress.add },
    ...(meters.length > 0 ? { onAside: (chunk: Buffer) => meters.forEach(({ meter }) => meter.add(chunk)) } : {}),
  })
  if (lacksMemory(run)) throw new RindleError('decode_too_large', { neededBytes: null, maxDecodeBytes: null })
  if (run.status !== 0) return wishes.map(({ name }) => brokenVariant(name, brokenAt(progress.seconds(), tracks)))
  const variants: MadeVariant[] = []
  for (const wish of encoded) variants.push(await examined(wish, tracks, progress.seconds()))
  for (const { wish, meter } of meters) variants.push(await waveformOf(wish, meter, tracks))
  return variants
}

/** A frame that is lost here and there is a scratch; more than that is another film. */
const mostBrokenShare = '0.05'

const wantedOf = ({ recipe, path }: Of<Wanted['recipe']>, measured: string | null): Wanted => ({
  ...{ recipe, path },
  loudness: recipe.kind === 'audio' && recipe.loudness === 'two-pass' ? measured : null,
})

/** Null where ffmpeg went on to the end, and counted then what had not come out. */
const brokenAt = (seconds: number, { durationMs }: Tracks): number | null =>
  seconds * 1000 > durationMs - leewayMs(durationMs) ? null : seconds

const brokenVariant = (variant: string, atSeconds: number | null): MadeVariant => ({
  ...{ name: variant, ok: false, code: 'source_broken' },
  message: messageOf('source_broken', { variant, atSeconds }),
})

/** A file counts when another program finds in it what was wanted, and as much of it as there was. */
const examined = async ({ name, recipe, path }: Of<Wanted['recipe']>, tracks: Tracks, atSeconds: number): Promise<MadeVariant> => {
  if (!existsSync(path) || statSync(path).size === 0) return failedVariant(name)
  if (recipe.kind === 'strip' || recipe.kind === 'preview') return stored(name, recipe, path, await factsOfPicture(path, recipe, tracks))
  const probed = await probeOutput({ path, contentType: typeOfRecipe(recipe, false) })
  if (!probed || (recipe.kind === 'video') !== (probed.picture !== null)) return failedVariant(name)
  if (tracks.sound !== null && !probed.hasSound) return failedVariant(name)
  const durationMs = probed.durationMs ?? 0
  const expectedMs = recipe.kind === 'audio' ? (tracks.sound?.durationMs ?? tracks.durationMs) : tracks.durationMs
  if (durationMs < expectedMs - leewayMs(expectedMs)) return brokenVariant(name, Math.min(atSeconds, durationMs / 1000))
  const { picture, hasSound: hasAudioTrack } = probed
  return stored(name, recipe, path, {
    ...noFacts,
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    durationMs,
    hasAudioTrack,
  })
}

/** Encoders add silence at both ends, containers round, and the last picture of a film has no length of its own. */
const leewayMs = (expectedMs: number): number => 500 + expectedMs * 0.005

const probeOutput = async (input: AvInput): Promise<Probed | null> => {
  const run = await runFfprobe(input, [...probeArguments], { timeoutMs: 30_000 })
  return run.status === 0 ? probedFrom(run.stdout.toString('utf8')) : null
}

const waveformOf = async (
  { name, recipe, path }: Of<WaveformRecipe>,
  meter: PeakMeter,
  { sound, durationMs }: Tracks,
): Promise<MadeVariant> => {
  const peaks = meter.peaks()
  if (!peaks) return failedVariant(name)
  const sampleRate = sound?.samplesPerSecond ?? null
  writeFileSync(path, JSON.stringify({ length: recipe.length, sample_rate: sampleRate, duration_ms: durationMs, peaks }), { flag: 'wx' })
  return stored(name, recipe, path, { ...noFacts, durationMs })
}

const noFacts: VariantFacts = { width: null, height: null, durationMs: null, hasAudioTrack: null, grid: null }

const factsOfPicture = async (path: string, recipe: PosterRecipe | StripRecipe | PreviewRecipe, tracks?: Tracks): Promise<VariantFacts> => {
  const contentType = typeOfRecipe(recipe, false)
  const { width, height } = await withLoader(contentType, (sharp) => readHeader(sharp, path, contentType))
  const grid = recipe.kind === 'strip' && tracks?.picture ? gridOf(tracks.picture, tracks.durationMs, recipe) : null
  return { ...noFacts, width, height, grid }
}

const stored = async (name: string, recipe: Recipe, path: string, facts: VariantFacts): Promise<MadeVariant> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  const form = { contentType: typeOfRecipe(recipe, false), extension: extensionOfRecipe(recipe, false) }
  return { name, ok: true, path, ...form, ...facts, byteSize: statSync(path).size, sha256: hash.digest('hex') }
}
