import { mkdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { loadSharp, withLoader } from '../src/adapters/processing/image/sharp.ts'
import { svgType } from '../src/adapters/processing/image/svg.ts'
import { openVisiting } from './files/visiting.ts'
import type { Proof, ProofContext } from './harness.ts'
import { disguises, svgNaming } from './loaders/disguises.ts'

/** Image libraries open dozens of formats by what is in a file; some of those run scripts, read other files or were never meant for strangers. */
export const loaders: Proof = {
  name: 'loaders',
  means: 'no file of another kind is decoded under the name of a picture, and no drawing sees a file beside it',
  unit: 'files',
  amount: { ci: 40, full: 236 },
  async run(context) {
    const { folder, random, amount, breach } = context
    const canary = await hideCanary(folder)
    const renamed = disguises.flatMap((disguise) => extensions.map((extension) => ({ disguise, extension })))
    const chosen = random.shuffle(renamed).slice(0, amount)
    const visiting = openVisiting(join(folder, 'visits'))
    const outcomes: Record<string, number> = {}
    try {
      for (const [index, { disguise, extension }] of chosen.entries()) {
        if (namesOf[disguise.label]?.includes(extension)) continue
        const path = join(folder, `${index}.${extension}`)
        writeFileSync(path, await disguise.bytes(random, canary))
        const { outcome, classified } = await visiting.visit(path, `holiday.${extension}`, { allowMime: pictures, svg: 'rasterize' })
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        if (outcome === 'pass' || !classified) breach(`${disguise.label} named .${extension}: ${outcome}`)
      }
    } finally {
      await visiting.close()
    }
    const drawn = await drawNaming(context, canary)
    const blocked = await tryBlocked(context)
    sharp.unblock({ operation: ['VipsForeignLoad'] }) // Proofs that follow in this process open pictures of their own.
    return { runs: Object.values(outcomes).reduce((sum, count) => sum + count, 0), figures: { ...outcomes, drawn, blocked } }
  },
}

const extensions = ['jpg', 'png', 'webp', 'gif', 'avif', 'heic', 'tif']
const pictures = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/heic', 'image/tiff', svgType]
/** Which of the names are no disguise. */
const namesOf: Readonly<Record<string, readonly string[]>> = { webp: ['webp'], tiff: ['tif'] }
const canaryColour = [250, 10, 240] as const

/** A picture of one colour that is nowhere else, beside the files that name it. */
const hideCanary = async (folder: string): Promise<string> => {
  const [r, g, b] = canaryColour
  const path = join(folder, 'canary.png')
  await sharp({ create: { width: 64, height: 64, channels: 3, background: { r, g, b } } })
    .png()
    .toFile(path)
  return path
}

/** Without the look at its text, the renderer itself is handed an SVG that names the canary, as the jail hands it one. */
const drawNaming = async ({ folder, breach }: ProofContext, canary: string): Promise<number> => {
  const from = process.cwd()
  mkdirSync(join(folder, 'visits'), { recursive: true })
  process.chdir(folder)
  try {
    return await withLoader(svgType, async (open) => {
      const bytes = svgNaming(canary)
      const pixels = await open(bytes).ensureAlpha().raw().toBuffer()
      if (pixels.some((value) => value !== 0)) breach('an SVG drew a file that it only names')
      const embedded = `data:image/png;base64,${(
        await sharp({ create: { width: 64, height: 64, channels: 3, background: '#fa0af0' } })
          .png()
          .toBuffer()
      ).toString('base64')}`
      const inside = Buffer.from(
        `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><image width="64" height="64" href="${embedded}"/></svg>`,
      )
      const [r, g, b] = await open(inside).removeAlpha().raw().toBuffer()
      if (r !== canaryColour[0] || g !== canaryColour[1] || b !== canaryColour[2]) breach('the canary does not show where it is embedded')
      return 2
    })
  } finally {
    process.chdir(from)
  }
}

/** While one loader is open every other refuses, and outside of a visit all of them do. */
const tryBlocked = async ({ folder, breach }: ProofContext): Promise<number> => {
  const closed = await loadSharp()
  const files = await Promise.all(
    formats.map(async (format) => {
      const path = join(folder, `sound.${format}`)
      const plain = closed({ create: { width: 16, height: 16, channels: 3, background: '#aa3010' } })
      await writeFile(path, await plain.toFormat(format).toBuffer())
      return { format, path }
    }),
  )
  const opened = async (open: typeof closed): Promise<string> => {
    const found = await Promise.all(
      files.map(({ format, path }) =>
        open(path)
          .raw()
          .toBuffer()
          .then(
            () => [format],
            () => [],
          ),
      ),
    )
    return found.flat().join()
  }
  for (const format of formats) {
    const found = await withLoader(`image/${format}`, opened)
    if (found !== format) breach(`while the loader of ${format} is open, these are opened: ${found}`)
  }
  const left = await opened(closed)
  if (left !== '') breach(`outside of a visit these are opened: ${left}`)
  return (formats.length + 1) * formats.length
}

const formats = ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const
