import { filmTypeOf, spokenType } from '../../../core/content-type.ts'
import { RindleError } from '../../../core/errors.ts'
import { mostStreams, type Played, type PlayedLimits } from '../../../core/played.ts'
import type { DecodeLimits, Facts, MadeVariant, Rewritten, Visit } from '../../../core/ports/jail.ts'
import { makeAvVariants } from './make-av.ts'
import { decodingBytes, encodingBytes } from './need.ts'
import { outlineOf } from './outline.ts'
import { type Picture, type Probed, probeArguments, probedFrom } from './probe-reply.ts'
import { type AvInput, runFfprobe } from './run.ts'
import { decodeSample, lacksMemory, measureLength, type Sampled } from './sample.ts'

/** What audio and video are, as far as rows know it. */
type AvFacts = Pick<Facts, 'kind' | 'width' | 'height'> & Played

/** What of a visit is needed here. */
interface AvVisit {
  readonly path: string
  readonly limits: DecodeLimits
}

/** A file whose probe found nothing wrong. */
interface AvHeader {
  readonly input: AvInput
  readonly probed: Probed
  readonly durationMs: number
}

/**
 * Looks into a file of audio or video at the gate: it is probed, held against the limits, rewritten and decoded in part.
 *
 * @returns what it is, and the type that its tracks say, which is another than the sniffer's where that took a film for sound.
 * @throws RindleError as `probeAv`, `rewrite` and `decodeAv` do
 */
export const attendAv = async (
  { path, limits }: AvVisit,
  contentType: string,
  need: (bytes: number) => Promise<void>,
  rewrite: () => Promise<Rewritten | null> = async () => null,
): Promise<{ readonly contentType: string; readonly facts: AvFacts; readonly rewritten: Rewritten | null }> => {
  const input = { path, contentType }
  const header = await probeAv(input, limits)
  await need(Math.max(0, decodingBytes(header.probed.picture) - ownBytes))
  const rewritten = await rewrite()
  const framesPerSecond = await decodeAv(await rewrittenHeader(header, rewritten, limits), limits)
  const { picture } = header.probed
  return { rewritten, contentType: picture ? filmTypeOf(contentType) : contentType, facts: { ...factsOf(header), framesPerSecond } }
}

const factsOf = ({ probed: { picture, sound, hasSound }, durationMs }: AvHeader): Omit<AvFacts, 'framesPerSecond'> => ({
  kind: picture ? 'video' : 'audio',
  ...{ width: picture?.width ?? null, height: picture?.height ?? null, rotation: picture?.rotation ?? null },
  ...{ durationMs, hasVideoTrack: picture !== null, hasAudioTrack: hasSound },
  ...{ videoCodec: picture?.codec ?? null, audioCodec: sound?.codec ?? null },
})

/** What passed the gate is not held against its limits again: a profile may have become narrower since. */
const anything: Pick<DecodeLimits, 'maxPixels' | 'maxSidePixels'> & PlayedLimits = {
  ...{ maxPixels: Infinity, maxSidePixels: Infinity, maxDurationSeconds: Infinity },
  ...{ maxStreams: mostStreams, maxFramesPerSecond: Infinity, allowCodecs: null },
}

/** What is asked and told while variants are made: see `Parent`. */
interface BuildingParent {
  readonly need: (bytes: number) => Promise<void>
  readonly gated: () => void
  readonly progress: (fraction: number) => void
}

/**
 * Makes variants of a file of audio or video that passed the gate.
 *
 * @throws RindleError `decode_too_large`, and as `probeAv` does
 */
export const buildAv = async (
  { path, folder, limits, variants: wishes }: AvVisit & Pick<Visit, 'folder' | 'variants'>,
  contentType: string,
  { need, gated, progress }: BuildingParent,
): Promise<MadeVariant[]> => {
  const { input, probed, durationMs } = await probeAv({ path, contentType }, { ...limits, ...anything })
  gated()
  const tracks = { picture: probed.picture, sound: probed.sound, durationMs }
  await need(Math.max(0, encodingBytes(tracks, wishes) - ownBytes))
  return makeAvVariants({ input, folder, tracks, wishes, progress, timeoutMs: limits.timeoutMs })
}

/** What was copied into a new container may count its tracks anew. */
const rewrittenHeader = async (header: AvHeader, rewritten: Rewritten | null, limits: DecodeLimits): Promise<AvHeader> => {
  if (!rewritten) return header
  const input = { ...header.input, path: rewritten.path }
  return rewritten.changed === null ? probeAv(input, limits) : { ...header, input }
}

/** ffmpeg is a process of its own under the limit of the child: all that a warm one has is there for it. */
const ownBytes = 512 * 1024 * 1024

/** Shares of the wall clock of the gate: together they leave a tenth of it to whatever else the gate does. */
const shares = { probe: 0.3, measure: 0.28, part: 0.15 } as const
/** So much from the beginning, and so much before the end, as far as time allows. */
const partSeconds = 2
/** A shorter one is decoded from end to end. */
const shortSeconds = 5

/** Lengths are a guess, or those of another file that this one was part of. */
const measured: ReadonlySet<string> = new Set(['audio/mpeg', 'audio/aac', 'audio/amr'])

/**
 * Reads what a container of audio or video says of itself, and holds it against the limits. A length that it does not tell is measured.
 *
 * @throws RindleError `decode_failed`, `decode_too_large`, `codec_not_allowed`, `embedded_file_not_allowed`, `external_reference`,
 * `max_streams_exceeded`, `max_duration_exceeded`, `max_side_exceeded`, `max_pixels_exceeded`, `max_frame_rate_exceeded`; `program_missing` and
 * `peer_outdated`, and `decoder_killed` when time ran out, which are faults.
 */
const probeAv = async (input: AvInput, limits: DecodeLimits): Promise<AvHeader> => {
  const damaged = damage(input)
  const outline = await outlineOf(input.path, input.contentType)
  if (outline === 'refers elsewhere') throw new RindleError('external_reference', { format: spokenType(input.contentType) })
  if (outline === 'cut') throw damaged
  const probed = await askProbe(input, limits)
  checkStreams(probed, input, limits)
  const durationMs = await lengthOf(input, probed, limits)
  const durationSeconds = Math.ceil(durationMs / 1000)
  const { maxDurationSeconds } = limits
  if (durationMs > maxDurationSeconds * 1000) throw new RindleError('max_duration_exceeded', { durationSeconds, maxDurationSeconds })
  return { input, probed, durationMs }
}

/**
 * Decodes the beginning and the end: enough to see that a file is cut or that no decoder opens it, in a time that does not grow with it.
 *
 * @returns how many frames a film has in a second.
 * @throws RindleError `decode_failed`, `decode_too_large`, `max_frame_rate_exceeded`; `program_missing`, `peer_outdated` and `decoder_killed` are
 * faults.
 */
const decodeAv = async ({ input, probed, durationMs }: AvHeader, limits: DecodeLimits): Promise<number | null> => {
  const timeoutMs = limits.gateTimeoutMs * shares.part
  const isShort = durationMs <= shortSeconds * 1000
  const first = await decodeSample(input, probed, { fromSeconds: 0, lengthSeconds: isShort ? null : partSeconds, timeoutMs })
  refuseDamaged(first, input)
  const framesPerSecond = rateOf(probed.picture, first, { durationMs, limits })
  if (isShort && !first.ranOut) {
    refuseEmpty([first], probed, input)
    return framesPerSecond
  }
  const fromSeconds = Math.max(0.001, durationMs / 1000 - partSeconds)
  const last = await decodeSample(input, probed, { fromSeconds, lengthSeconds: null, timeoutMs })
  refuseDamaged(last, input)
  refuseEmpty([first, last], probed, input)
  if (!reachesEnd(last, probed, { input, durationMs, fromSeconds })) throw damage(input)
  return framesPerSecond
}

/** Two seconds of a film may hold more than others of it. */
const burst = 1.1

/** What the container claims, or what came in the first part where it claims nothing, as those of browsers; null for sound, and where too little came in time. */
const rateOf = (
  picture: Picture | null,
  { pictures, ranOut }: Sampled,
  { durationMs, limits }: { readonly durationMs: number; readonly limits: DecodeLimits },
): number | null => {
  if (!picture) return null
  const lengthSeconds = durationMs <= shortSeconds * 1000 ? durationMs / 1000 : partSeconds
  const came = pictures / Math.max(1, lengthSeconds)
  if (came > limits.maxFramesPerSecond * burst + 1) refuseRate(came, limits)
  const rate = picture.framesPerSecond ?? (ranOut ? null : came)
  return rate === null ? null : Math.round(rate * 1000) / 1000
}

const refuseRate = (rate: number, { maxFramesPerSecond }: DecodeLimits): never => {
  throw new RindleError('max_frame_rate_exceeded', { framesPerSecond: Math.floor(rate), maxFramesPerSecond })
}

const damage = ({ contentType }: AvInput): RindleError => new RindleError('decode_failed', { format: spokenType(contentType) })
const outOfTime = ({ gateTimeoutMs }: DecodeLimits): RindleError =>
  new RindleError('decoder_killed', { reason: `it was not probed and sampled within ${gateTimeoutMs} ms` })

const askProbe = async (input: AvInput, limits: DecodeLimits): Promise<Probed & { readonly isGuess: boolean }> => {
  const run = await runFfprobe(input, ['-v', 'warning', ...probeArguments], { timeoutMs: limits.gateTimeoutMs * shares.probe })
  if (run.ranOut) throw outOfTime(limits)
  const streams = /Number of streams exceeds max_streams/.test(run.complaints)
  if (streams) throw new RindleError('max_streams_exceeded', { streams: mostStreams + 1, maxStreams: limits.maxStreams })
  const [, codec] = /\] Codec \(([a-z0-9_]{1,40})\) not on whitelist/.exec(run.complaints) ?? []
  if (run.status !== 0 && codec !== undefined)
    throw new RindleError('codec_not_allowed', { format: spokenType(input.contentType), codec, allowed: limits.allowCodecs })
  if (lacksMemory(run)) throw new RindleError('decode_too_large', { neededBytes: null, maxDecodeBytes: null })
  const probed = run.status === 0 ? probedFrom(run.stdout.toString('utf8')) : null
  if (!probed) throw damage(input)
  return { ...probed, isGuess: /Estimating duration from bitrate/.test(run.complaints) }
}

const checkStreams = (probed: Probed, input: AvInput, limits: DecodeLimits): void => {
  const { streams, picture, sound, hasSound, hasPicture, attachments, codecs } = probed
  const { maxSidePixels, maxPixels, maxStreams, maxFramesPerSecond, allowCodecs: allowed } = limits
  const format = spokenType(input.contentType)
  if (streams > maxStreams) throw new RindleError('max_streams_exceeded', { streams, maxStreams })
  if (attachments > 0) throw new RindleError('embedded_file_not_allowed', { format })
  if (!picture && (hasPicture || !hasSound)) throw damage(input)
  const unknown = (picture && picture.codec === null) || (hasSound && !sound)
  const codec = unknown ? null : codecs.find((one) => allowed !== null && !allowed.includes(one))
  if (codec !== undefined) throw new RindleError('codec_not_allowed', { format, codec, allowed })
  if (!picture) return
  const { sidePixels, pixels, framesPerSecond } = picture
  if (sidePixels > maxSidePixels) throw new RindleError('max_side_exceeded', { sidePixels, maxSidePixels })
  if (pixels > maxPixels) throw new RindleError('max_pixels_exceeded', { pixels, maxPixels })
  if (framesPerSecond !== null && Math.floor(framesPerSecond) > maxFramesPerSecond) refuseRate(framesPerSecond, limits)
}

/** What the container claims, or what was counted where it claims nothing or cannot know. */
const lengthOf = async (input: AvInput, probed: Probed & { readonly isGuess: boolean }, limits: DecodeLimits): Promise<number> => {
  const { durationMs: claimed, isGuess } = probed
  if (claimed !== null && !measured.has(input.contentType)) return claimed
  const found = await measureLength(input, probed, limits.gateTimeoutMs * shares.measure)
  if (found.isDamaged || (found.durationMs === null && !found.ranOut)) throw damage(input)
  const isTooLong = (found.durationMs ?? 0) > limits.maxDurationSeconds * 1000
  if (found.ranOut && !isTooLong) throw outOfTime(limits)
  const foundMs = found.durationMs ?? 0
  if (claimed === null || isGuess) return foundMs
  const leewayMs = claimed * 0.02 + 1_000
  if (foundMs < claimed - leewayMs) throw damage(input)
  return foundMs > claimed + leewayMs ? foundMs : claimed
}

const refuseDamaged = (part: Sampled, input: AvInput): void => {
  if (part.lacksMemory) throw new RindleError('decode_too_large', { neededBytes: null, maxDecodeBytes: null })
  if (part.isDamaged) throw damage(input)
}

/** Sound goes on to its end; the last picture of a film may stand for long, and without an index it may be far to it. */
const reachesEnd = (
  { pictures, sounds, soundEndSeconds, ranOut }: Sampled,
  { picture, sound }: Probed,
  { input, durationMs, fromSeconds }: { readonly input: AvInput; readonly durationMs: number; readonly fromSeconds: number },
): boolean => {
  if (ranOut || measured.has(input.contentType)) return true
  if (picture) return pictures + sounds > 0
  const lengthSeconds = (sound?.durationMs ?? durationMs) / 1000
  return sounds > 0 && soundEndSeconds >= lengthSeconds - fromSeconds - leewaySeconds
}

const leewaySeconds = 1

/** A track of sound beside a picture may be empty, as some recorders leave it; nothing else may. */
const refuseEmpty = (parts: readonly Sampled[], { picture }: Probed, input: AvInput): void => {
  const came = parts.reduce((sum, { pictures, sounds }) => sum + (picture ? pictures : sounds), 0)
  if (came > 0) return
  throw parts.some(({ ranOut }) => ranOut) ? new RindleError('decoder_killed', { reason: 'not one frame came in time' }) : damage(input)
}
