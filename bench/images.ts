import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { createJail } from '../src/adapters/processing/jail.ts'
import { local } from '../src/adapters/storage/local.ts'
import { createStores, type Stores } from '../src/adapters/storage/stores.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import { usualPlayedLimits } from '../src/core/played.ts'
import type { Verdict, Visit } from '../src/core/ports/jail.ts'
import type { ImageRecipe } from '../src/core/recipe.ts'
import { fetchSealed } from '../src/flows/steps/fetch-sealed.ts'
import { putVariants } from '../src/flows/steps/put-variants.ts'
import { type Host, readHost } from '../src/host.ts'
import { cpuMsOfTree, type Bench, type BenchContext, type BenchSides, type Measures } from './harness.ts'

type Wanted = { readonly name: string; readonly side: number; readonly format: 'webp' | 'jpeg' }

const wanted: readonly Wanted[] = [
  { name: 'thumb', side: 128, format: 'webp' },
  { name: 'medium', side: 1024, format: 'webp' },
  { name: 'large', side: 2048, format: 'jpeg' },
]
const sealedKey = 'sealed/photo'
const quality = 80
const effort = 4
/** Times in /proc come in steps of 10 ms, so that a figure is the mean of several pictures. */
const picturesPerRound = 4

/**
 * 24 megapixels to three variants, with everything between the sealed bytes and the stored variants on our side only.
 *
 * What was tried on our side, in CPU of about 300 ms: the one decode halved by the JPEG decoder where sharp transforms all 24 megapixels
 * and scales them, 40 less (kept: without it the ratios are 0.67 to 0.71 and 0.41 to 0.46, with it 0.56 to 0.61 and 0.36 to 0.38); sealed
 * bytes read into one buffer of 1 MiB, so that this process collects no garbage after each picture, 10 to 20 less, and fewer trips to the
 * thread pool, 3 less (kept); keeping freed memory in the child 10 less (kept); sequential reading of the source 25 less (kept); the
 * placeholder from the smallest copy 3 less (kept); a cubic or linear kernel for the one decode 10 to 15 less, but softer (left); giving
 * decoded copies back at once instead of waiting for the collector: nothing that stood out (left); V8 without concurrent marking, or with a
 * larger young generation: nothing (left). What is left, on a quiet machine: the decode 112, the WebP of 1024 62, the JPEG of 2048 23, this
 * process 18, all else 15.
 *
 * A neighbour on the same core costs us more than the references, since ours is two processes: run it on a machine that is otherwise idle.
 */
export const images: Bench = {
  name: 'images',
  means:
    '24 MP JPEG to 128 webp, 1024 webp and 2048 jpeg: ours from sealed bytes to stored variants with the gate and its child process, against plain sharp and vipsthumbnail without either',
  rounds: 11,
  comparisons: [
    { metric: 'cpuMs', reference: 'sharp per variant', goal: '<=0.70' },
    { metric: 'cpuMs', reference: 'vipsthumbnail per variant', goal: '<=0.45' },
  ],
  prepare,
}

async function prepare({ random, folder, note }: BenchContext): Promise<BenchSides> {
  const source = join(folder, 'photo.jpg')
  const maker = fileURLToPath(import.meta.resolve('./photo.ts'))
  await run(process.execPath, ['--conditions=rindle-source', maker, String(random.int(1_000)), source])
  const { size } = await stat(source)
  note(`the photo has ${(size / 1e6).toFixed(1)} MB`)
  const store = local({ directory: join(folder, 'store') })
  await store.put(sealedKey, streamOf(source), { contentType: 'image/jpeg', sizeBytes: size })
  const jail = createJail({ concurrency: 1, logger: console })
  await jail.warm()
  const worker = {
    ctx: { stores: createStores({ profiles: { photo: { storage: store } } }), host: readHost(), logger: console },
    store: store.id,
    visit: jail.visit,
  }
  let pictures = 0
  const ours = async (): Promise<Verdict> => promoteOnce(worker, join(folder, `job-${++pictures}`), pictures)
  showSizes(await ours(), note)
  return {
    sides: {
      ours: async () => {
        const verdicts: Verdict[] = []
        const { cpuMs } = await perPicture(async () => void verdicts.push(await ours()))
        const gate = verdicts.reduce((sum, verdict) => sum + (verdict.verdict === 'pass' ? verdict.figures.gateCpuMs : 0), 0)
        return { cpuMs, gateCpuMs: gate / verdicts.length }
      },
      'sharp per variant': () => perPicture(() => withSharp(source, folder)),
      'vipsthumbnail per variant': () => perPicture(() => withVips(source, folder)),
    },
    close: () => jail.close(),
  }
}

async function perPicture(work: () => Promise<void>): Promise<Measures & { cpuMs: number }> {
  const before = cpuMsOfTree()
  for (let picture = 0; picture < picturesPerRound; picture++) await work()
  return { cpuMs: (cpuMsOfTree() - before) / picturesPerRound }
}

type Worker = {
  readonly ctx: { stores: Stores; host: Host; logger: Logger }
  readonly store: string
  readonly visit: (visit: Visit) => Promise<Verdict>
}

/** What the worker does with the bytes of one asset, by its own steps: fetch and hash, the visit, and the storing of what was made. */
async function promoteOnce({ ctx, store, visit }: Worker, folder: string, picture: number): Promise<Verdict> {
  await mkdir(folder)
  const path = join(folder, 'received')
  const { signal } = new AbortController()
  if (!(await fetchSealed(ctx, { object: { store, key: sealedKey }, path, signal }))) throw new Error('the sealed photo is gone')
  const verdict = await visit(visitOf(path, folder))
  if (verdict.verdict === 'refuse') throw new Error(verdict.message)
  const variants = verdict.variants.map((made) => ({
    ...{ id: made.name, fence: 1, name: made.name, digest: '', made, faults: 0 },
    object: { id: made.name, key: `variants/${picture}/${made.name}` },
  }))
  const outcomes = await putVariants(ctx, { assetId: `${picture}`, store, variants, signal })
  if (outcomes.some(({ result }) => result !== 'stored')) throw new Error('a variant was not stored')
  await rm(folder, { recursive: true })
  return verdict
}

const visitOf = (path: string, folder: string): Visit => ({
  path,
  folder,
  purpose: 'gate',
  profileKind: 'media',
  filename: 'photo.jpg',
  allowMime: ['image/jpeg'],
  allowExtensions: null,
  metadata: 'keep',
  svg: 'refuse',
  limits: {
    ...{ maxPixels: 64_000_000, maxSidePixels: 16_383, maxFrames: 300, ...usualPlayedLimits },
    ...{ gateTimeoutMs: 60_000, timeoutMs: 60_000 },
  },
  variants: wanted.map(({ name, side, format }) => ({ name, recipe: recipeOf(side, format) })),
})

const recipeOf = (side: number, format: ImageRecipe['format']): ImageRecipe => ({
  kind: 'image',
  mode: 'fit',
  width: side,
  height: side,
  ...{ format, quality, effort, background: '#ffffff', focal: { x: 0.5, y: 0.5 }, animated: false },
})

/** sharp as it comes, in this process and warm: its cache and its threads are as they are by default. */
async function withSharp(source: string, folder: string): Promise<void> {
  for (const { name, side, format } of wanted) {
    const resized = sharp(source).autoOrient().resize(side, side, { fit: 'inside', withoutEnlargement: true })
    const encoded = format === 'webp' ? resized.webp({ quality, effort }) : resized.jpeg({ quality })
    await encoded.toFile(join(folder, `sharp-${name}.${format}`))
  }
}

async function withVips(source: string, folder: string): Promise<void> {
  for (const { name, side, format } of wanted) {
    const options = format === 'webp' ? `Q=${quality},effort=${effort},strip` : `Q=${quality},strip`
    await run('vipsthumbnail', [
      source,
      '--vips-concurrency=1',
      '--size',
      `${side}x${side}>`,
      '-o',
      join(folder, `vips-${name}.${format}[${options}]`),
    ])
  }
}

const run = promisify(execFile)

const streamOf = (path: string): ReadableStream<Uint8Array> => Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>

function showSizes(verdict: Verdict, note: (text: string) => void): void {
  if (verdict.verdict !== 'pass') return
  note(
    verdict.variants
      .flatMap((made) => (made.ok ? [`${made.name} ${made.width}x${made.height} ${(made.byteSize / 1000).toFixed(1)} kB`] : []))
      .join(', '),
  )
}
