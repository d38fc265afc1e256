import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../src/core/clock.ts'
import { messageOf } from '../../src/core/errors.ts'
import type { Facts, MadeVariant, VariantWish, Verdict, Visit } from '../../src/core/ports/jail.ts'
import type { Recipe } from '../../src/core/recipe.ts'
import { pictureFacts, type VariantFacts } from '../../src/core/variant-facts.ts'
import { extensionOfRecipe, typeOfRecipe } from '../../src/core/variant-plan.ts'

/** What the decoder of the scenarios takes for a film begins so. */
const beginning = Buffer.from('film')
const howAt = 20
/** `slow` is encoded for a minute; `broken` passes the gate, and breaks when all of it is decoded. */
export const filmKinds = ['plain', 'slow', 'broken'] as const
export type FilmKind = (typeof filmKinds)[number]

export const markFilm = (bytes: Uint8Array, kind: FilmKind): void => {
  bytes.set(beginning)
  bytes[howAt] = filmKinds.indexOf(kind)
}

export const isFilm = (bytes: Buffer): boolean => bytes.subarray(0, beginning.byteLength).equals(beginning)

const stepMs = 30_000

/** Says that a film is one of two seconds with sound, and makes of it a few bytes for each variant; encoding tells how far it is. */
export const visitFilm = async (visit: Visit, bytes: Buffer, clock: Pick<Clock, 'sleep'>): Promise<Verdict> => {
  const kind = filmKinds[bytes[howAt] ?? 0]
  if (visit.encoding)
    for (const fraction of [0.3, 0.6]) {
      visit.onProgress?.(fraction)
      if (kind === 'slow') await clock.sleep(stepMs, visit.signal)
    }
  visit.signal?.throwIfAborted()
  const isBroken = kind === 'broken' && visit.encoding !== undefined
  const variants = await Promise.all(visit.variants.map((wish) => (isBroken ? notMade(wish) : made(visit, wish, bytes))))
  return { verdict: 'pass', facts, rewritten: null, variants, figures: { gateCpuMs: 0, cpuMs: 0 } }
}

const [size, durationMs] = [{ width: 4, height: 2 }, 2_000]

const facts: Facts = {
  ...{ kind: 'video', contentType: 'video/mp4', extension: 'mp4', ...size, frames: null, hasAlpha: null },
  ...{ durationMs, hasVideoTrack: true, hasAudioTrack: true, rotation: 0, framesPerSecond: 25, videoCodec: 'h264', audioCodec: 'aac' },
  ...{ placeholder: null, dominantColor: null },
}

const notMade = ({ name: variant }: VariantWish): MadeVariant => ({
  ...{ name: variant, ok: false, code: 'source_broken', message: messageOf('source_broken', { variant, atSeconds: 1 }) },
})

const made = async (visit: Visit, { name, recipe }: VariantWish, bytes: Buffer): Promise<MadeVariant> => {
  const content = Buffer.concat([Buffer.from(`${name}:`), bytes.subarray(4, 12)])
  const [contentType, extension] = [typeOfRecipe(recipe, false), extensionOfRecipe(recipe, false)]
  const path = join(visit.folder, `${name}.${extension}`)
  await writeFile(path, content)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { name, ok: true, path, contentType, extension, byteSize: content.byteLength, sha256, ...factsOf(recipe) }
}

const factsOf = ({ kind }: Recipe): VariantFacts => {
  const picture = pictureFacts(size)
  if (kind === 'video') return { ...picture, durationMs, hasAudioTrack: true }
  if (kind === 'audio' || kind === 'waveform') return { ...picture, width: null, height: null, durationMs, hasAudioTrack: kind === 'audio' }
  if (kind !== 'strip') return picture
  const grid = { tileWidth: size.width, tileHeight: size.height, columns: 2, rows: 1, count: 2, intervalMs: 1_000 }
  return { ...picture, width: 2 * size.width, grid }
}
