import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { attend } from '../src/adapters/processing/attend.ts'
import { createJail } from '../src/adapters/processing/jail.ts'
import { usualPlayedLimits } from '../src/core/played.ts'
import type { Verdict, Visit } from '../src/core/ports/jail.ts'
import type { ImageRecipe } from '../src/core/recipe.ts'
import { type Bench, type BenchContext, type BenchSides, type Measures, median } from './harness.ts'

const run = promisify(execFile)
const sidePixels = { photo: [128, 1024, 2048], small: [128, 640] }
/** A small one takes so little that a figure is the median of several. */
const smallPerRound = 9

/**
 * What the walls cost: the visit of a warm child, with its sandbox, its folder and its limits, against a call of the very same code in this
 * process; and what this process has of it: how late its timers are while a HEIC is decoded in a child or here. A large HEIC wears a child
 * out, so that the next visit would wait for a new one: a round begins with a warm child.
 */
export const jail: Bench = {
  name: 'jail',
  means:
    'a visit to a warm decoder in the jail against the same code called in this process: time for a 24 MP photo and for one of 100 kB, and the event-loop delay here while a 24 MP HEIC is decoded',
  rounds: 9,
  comparisons: [
    { metric: 'photoMs', reference: 'in process', goal: '<=1.15' },
    { metric: 'smallMs', reference: 'in process', goal: '<=2.0' },
    { metric: 'delayP99Ms', reference: 'in process', goal: '<=0.1' },
  ],
  prepare,
}

type Work = (visit: Visit) => Promise<void>

async function prepare({ random, folder, note }: BenchContext): Promise<BenchSides> {
  const photo = join(folder, 'photo.jpg')
  const maker = fileURLToPath(import.meta.resolve('./photo.ts'))
  await run(process.execPath, ['--conditions=rindle-source', maker, String(random.int(1_000)), photo])
  const small = join(folder, 'small.jpg')
  await sharp(photo).resize(1_100).jpeg({ quality: 82 }).toFile(small)
  const heic = join(folder, 'photo.heic')
  await run('heif-enc', ['-p', 'preset=ultrafast', '-q', '50', '-o', heic, photo], { timeout: 180_000 })
  for (const path of [photo, small, heic]) note(`${path.slice(folder.length + 1)} has ${((await stat(path)).size / 1000).toFixed(0)} kB`)

  const walls = createJail({ concurrency: 1, scratchFolder: folder, logger: console })
  await walls.warm()
  const missing = (await walls.report()).walls.filter(({ stands }) => !stands)
  note(missing.length === 0 ? 'every wall stands' : missing.map(({ means }) => means).join('; '))
  const ours: Work = async (visit) => passing(await walls.visit(visit))
  const here: Work = async (visit) =>
    passing(await attend(visit, { read: readNothing, need: async () => undefined, gated: () => undefined, progress: () => undefined }))
  const decode: (given: { buffer: Uint8Array }) => Promise<unknown> = createRequire(import.meta.url)('heic-decode')
  const figures = async (work: Work, openHeic: () => Promise<void>): Promise<Measures> => {
    const times: number[] = []
    const photoMs = await timed(work, photo, folder, sidePixels.photo)
    for (let one = 0; one < smallPerRound; one++) times.push(await timed(work, small, folder, sidePixels.small))
    return { photoMs, smallMs: median(times), delayP99Ms: await delayDuring(openHeic) }
  }
  return {
    sides: {
      ours: async () => {
        await walls.warm()
        return figures(ours, async () => void (await timed(ours, heic, folder, [])))
      },
      'in process': () => figures(here, async () => void (await decode({ buffer: await readFile(heic) }))),
    },
    close: () => walls.close(),
  }
}

async function timed(work: Work, path: string, folder: string, sides: readonly number[]): Promise<number> {
  const job = join(folder, 'job')
  await mkdir(job)
  const visit = visitOf(path, job, sides)
  const started = performance.now()
  await work(visit)
  const tookMs = performance.now() - started
  await rm(job, { recursive: true })
  return tookMs
}

/** How late a timer of 1 ms is at the most in 99 of 100 times. */
async function delayDuring(work: () => Promise<void>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  await work()
  await new Promise((resolve) => setTimeout(resolve, 5))
  delays.disable()
  return delays.percentile(99) / 1e6
}

const readNothing = async (): Promise<Uint8Array> => new Uint8Array()

function passing(verdict: Verdict): void {
  if (verdict.verdict === 'refuse') throw new Error(verdict.message)
  for (const made of verdict.variants) if (!made.ok) throw new Error(made.message)
}

const visitOf = (path: string, folder: string, sides: readonly number[]): Visit => ({
  path,
  folder,
  purpose: 'gate',
  profileKind: 'media',
  filename: path.slice(path.lastIndexOf('/') + 1),
  allowMime: ['image/jpeg', 'image/heic'],
  allowExtensions: null,
  metadata: 'strip-location',
  svg: 'refuse',
  limits: {
    ...{ maxPixels: 64_000_000, maxSidePixels: 16_383, maxFrames: 300, ...usualPlayedLimits },
    ...{ gateTimeoutMs: 60_000, timeoutMs: 60_000 },
  },
  variants: sides.map((side) => ({ name: `at-${side}`, recipe: recipeOf(side) })),
})

const recipeOf = (side: number): ImageRecipe => ({
  ...{ kind: 'image', mode: 'fit', width: side, height: side, format: side > 2_000 ? 'jpeg' : 'webp', quality: 80, effort: 4 },
  ...{ background: '#ffffff', focal: { x: 0.5, y: 0.5 }, animated: false },
})
