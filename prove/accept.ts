import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { image } from '../src/core/image-recipe.ts'
import { largePhotos } from './accept/large.ts'
import { type CorpusFile, corpusFiles } from './files/corpus.ts'
import { goodPictures } from './files/good.ts'
import { withJailHost } from './files/jail-host.ts'
import { made, type Made } from './files/picture.ts'
import { heics, recordingsIn } from './files/tools.ts'
import type { Proof, ProofContext } from './harness.ts'

/** Walls that refuse what people really have are no walls: good files of every type and shape, up to those of the largest cameras. */
export const accept: Proof = {
  name: 'accept',
  means: 'no good picture or recording is refused under the default limits, up to 48 megapixels of every format',
  unit: 'files',
  amount: { ci: 60, full: 700 },
  async run(context) {
    const { breach, note, folder, signal } = context
    const files = chosen(context)
    note(`${files.length} good files`)
    const counts: Record<string, number> = {}
    let [next, slowestMs] = [0, 0]
    const concurrency = Math.max(2, availableParallelism())
    await withJailHost(context, { concurrency }, async (host) => {
      const lane = async (index: number): Promise<void> => {
        const room = join(folder, `lane${index}`)
        mkdirSync(room)
        for (let file = files[next++]; file && !signal.aborted; file = files[next++]) {
          const path = join(room, basename(file.filename))
          writeFileSync(path, await file.bytes())
          const variants = next % 3 === 0 ? [{ name: 'thumb', recipe: image({ width: 320 }) }] : []
          const { outcome, message, ms } = await host.ask('visit', { path, filename: file.filename, more: { variants } })
          rmSync(path)
          const kind = outcome === 'pass' ? message : 'refused'
          counts[kind] = (counts[kind] ?? 0) + 1
          slowestMs = Math.max(slowestMs, ms)
          if (outcome !== 'pass') breach(`${file.label} is ${outcome} after ${ms} ms: ${message}`)
        }
      }
      await Promise.all(Array.from({ length: concurrency }, (_, index) => lane(index)))
    })
    return { runs: Object.values(counts).reduce((sum, count) => sum + count, 0), figures: { slowestMs, ...counts } }
  },
}

/** All there are in full; else the smallest part of them that has a photo of 24 megapixels and files of every kind. */
const chosen = ({ size, amount, folder, random, corpus }: ProofContext): Made[] => {
  const tools = join(folder, 'tools')
  const large = largePhotos(tools)
  const recordings = recordingsIn(tools)
  const found = goodOf(corpus)
  if (size === 'full') return [...large, ...goodPictures(), ...heics(tools), ...recordings, ...found].slice(0, amount)
  const small = [
    ...random.shuffle(goodPictures()).slice(0, amount),
    ...found.slice(0, 8),
    ...heics(tools).slice(0, 1),
    ...recordings.slice(0, 2),
  ]
  return [...large.slice(0, 1), ...random.shuffle(small)].slice(0, amount)
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
