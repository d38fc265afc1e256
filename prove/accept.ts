import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { image } from '../src/core/image-recipe.ts'
import { largePhotos } from './accept/large.ts'
import { type CorpusFile, corpusFiles } from './files/corpus.ts'
import { goodPictures } from './files/good.ts'
import { withJailHost } from './files/jail-host.ts'
import { made, type Made, subject } from './files/picture.ts'
import { heics, recordingsIn } from './files/tools.ts'
import type { Proof, ProofContext } from './harness.ts'

/** Walls that refuse what people really have are no walls: good files of every type and shape, up to those of the largest cameras. */
export const accept: Proof = {
  name: 'accept',
  means: 'no good picture or recording is refused under the default limits, up to 48 megapixels of every format',
  unit: 'files',
  amount: { ci: 60, full: 600 },
  shows: { slowestMs: 'ms at most' },
  async run(context) {
    const { breach, note, folder, signal } = context
    const { large, small } = chosen(context)
    note(`${large.length} large and ${small.length} small good files`)
    const counts: Record<string, number> = {}
    let slowestMs = 0
    const concurrency = Math.max(2, availableParallelism())
    await withJailHost(context, { concurrency }, async (host) => {
      const lane = async (index: number, files: readonly Made[], following: () => number): Promise<void> => {
        const room = join(folder, `lane${index}`)
        mkdirSync(room, { recursive: true })
        for (let turn = following(), file = files[turn]; file && !signal.aborted; turn = following(), file = files[turn]) {
          const path = join(room, basename(file.filename))
          writeFileSync(path, await file.bytes())
          const variants = turn % 3 === 0 ? [{ name: 'thumb', recipe: image({ width: 320 }) }] : []
          const { outcome, message, ms } = await host.ask('visit', { path, filename: file.filename, more: { variants } })
          rmSync(path)
          const kind = file === dot ? 'dots' : outcome === 'pass' ? message : 'refused'
          counts[kind] = (counts[kind] ?? 0) + 1
          slowestMs = Math.max(slowestMs, ms)
          if (outcome !== 'pass') breach(`${file.label} is ${outcome} after ${ms} ms: ${message}`)
        }
      }
      // One by one: the making of the next would take the time that the gate has for this one. Each after a dot, so that what the
      // decoder was granted for the file before is no help.
      await lane(
        0,
        large.flatMap((photo) => [dot, photo]),
        counter(),
      )
      const turns = counter()
      await Promise.all(Array.from({ length: concurrency }, (_, index) => lane(index, small, turns)))
    })
    const { dots: _, ...figures } = counts
    return { runs: Object.values(figures).reduce((sum, count) => sum + count, 0), figures: { slowestMs, ...figures } }
  },
}

const dot = made('a dot', 'png', () => subject({ width: 1, height: 1 }).png().toBuffer())

const counter = (): (() => number) => {
  let next = 0
  return () => next++
}

/** All there are in full; else the smallest part of them that has a photo of 24 megapixels and files of every kind. */
const chosen = ({ size, amount, folder, random, corpus }: ProofContext): { large: readonly Made[]; small: readonly Made[] } => {
  const tools = join(folder, 'tools')
  const large = largePhotos(tools)
  const recordings = recordingsIn(tools)
  const found = goodOf(corpus)
  if (size === 'full') return { large, small: [...goodPictures(), ...heics(tools), ...recordings, ...found] }
  const pictures = random.shuffle(goodPictures()).slice(0, amount - 12)
  const small = [...pictures, ...found.slice(0, 8), ...heics(tools).slice(0, 1), ...recordings.slice(0, 2)]
  return { large: large.slice(0, 1), small: random.shuffle(small) }
}

/** Of the project's own corpus, what is whole; of a folder that was named besides, everything. */
const goodOf = ([own, ...others]: readonly string[]): Made[] => {
  const ours = corpusFiles(own === undefined ? [] : [own]).filter(
    ({ label, filename }) => label.startsWith('orientation/') || whole.has(filename),
  )
  return [...ours, ...corpusFiles(others)].map(({ label, path, filename }: CorpusFile) => ({
    ...made(label, '', () => readFile(path)),
    filename,
  }))
}

/** Of the smallest files those are left out that no other decoder draws or plays either: without an image, a frame or a sample. */
const whole = new Set([
  ...[
    'racecar_rotated.jpg',
    'image.gif',
    'valley.webp',
    'audio.mp3',
    'video.mp4',
    'video.webm',
    'rotated_video.mp4',
    'rotated_hdr_video.mov',
  ],
  ...['video_with_rectangular_samples.mp4', 'video_with_undefined_display_aspect_ratio.mp4', 'video_without_audio_stream.mp4'],
  ...['video_without_video_stream.mp4', 'gif-transparent.gif', 'png-transparent.png', 'jpeg.jpg', 'mp4-with-audio.mp4', 'webm.webm'],
])
