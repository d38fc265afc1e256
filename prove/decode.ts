import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { image } from '../src/core/image-recipe.ts'
import { metadataPolicies } from '../src/core/metadata-policy.ts'
import { mutationNames, mutations } from './decode/mutations.ts'
import { corpusFiles } from './files/corpus.ts'
import { goodPictures } from './files/good.ts'
import { type JailHost, withJailHost } from './files/jail-host.ts'
import type { Made } from './files/picture.ts'
import { heics, recordingsIn } from './files/tools.ts'
import type { Proof, ProofContext, Random } from './harness.ts'

const longestMs = 12_000
/** Where files that ended a decoder are kept to be looked at. */
const killers = fileURLToPath(new URL('../.cache/decode', import.meta.url))

/** Everything of a corpus that is broken, and good files made worse by chance: each has a verdict, and nothing comes of it but that. */
export const decode: Proof = {
  name: 'decode',
  means: 'every broken file and every mutation of a good one ends as a verdict within 12 s, and the process that asked lives on',
  unit: 'mutations',
  amount: { ci: 240, full: 20_000 },
  shows: { corpus: 'files of the corpus', slowestMs: 'ms at most' },
  async run(context) {
    const { folder, random, amount, breach, note } = context
    const seeds = await seedsOf(context)
    const found = sampled(context)
    note(`${found.length} files of the corpus, and ${amount} mutations of ${seeds.length} good ones`)
    const counts = new Map<string, number>()
    const tally: Tally = { next: 0, slowestMs: 0, counts }
    const concurrency = Math.max(2, availableParallelism())
    await withJailHost(context, { concurrency }, async (host) => {
      const lane = async (index: number): Promise<void> => {
        const room = join(folder, `lane${index}`)
        mkdirSync(room)
        for (let turn = tally.next++; turn < found.length + amount && !context.signal.aborted; turn = tally.next++) {
          const file = found[turn]
          const given = file
            ? { label: file.label, filename: file.filename, bytes: readFileSync(file.path) }
            : mutated(seeds, random.fork(`mutation ${turn - found.length}`), turn - found.length)
          await look({ host, room, breach, note, tally }, given, random.fork(`visit ${turn}`))
          if ((turn + 1) % 5_000 === 0) note(`${turn + 1} files`)
        }
      }
      await Promise.all(Array.from({ length: concurrency }, (_, index) => lane(index)))
      const { outcome } = await host.ask('visit', { path: writtenTo(folder, seeds[0]), filename: seeds[0]?.filename ?? '' })
      if (outcome !== 'pass') breach(`a good photo is ${outcome} after all of them`)
    })
    const runs = [...counts.values()].reduce((sum, count) => sum + count, 0)
    return {
      runs,
      figures: { corpus: found.length, slowestMs: tally.slowestMs, ...Object.fromEntries([...counts].sort((a, b) => b[1] - a[1])) },
    }
  },
}

interface Given {
  readonly label: string
  readonly filename: string
  readonly bytes: Buffer
}

interface Tally {
  next: number
  slowestMs: number
  readonly counts: Map<string, number>
}

interface Scene extends Pick<ProofContext, 'breach' | 'note'> {
  readonly host: JailHost
  readonly room: string
  readonly tally: Tally
}

const look = async ({ host, room, breach, note, tally }: Scene, { label, filename, bytes }: Given, random: Random): Promise<void> => {
  const path = join(room, basename(filename))
  writeFileSync(path, bytes)
  const metadata = random.pick(metadataPolicies)
  const variants = random.chance(0.5) ? [{ name: 'thumb', recipe: image({ width: 48 }) }] : []
  const told = await host.ask('visit', { path, filename, more: { metadata, variants, svg: 'rasterize' } })
  const { outcome, classified, message, ms } = told
  tally.counts.set(outcome, (tally.counts.get(outcome) ?? 0) + 1)
  tally.slowestMs = Math.max(tally.slowestMs, ms)
  if (!classified) breach(`${label} (${metadata}) ended without a name: ${message}`)
  if (ms > longestMs) breach(`${label} (${metadata}) took ${ms} ms`)
  if (outcome !== 'decoder_killed') return
  mkdirSync(killers, { recursive: true })
  const kept = join(killers, label.replaceAll(/[^a-z0-9]+/gi, '-') + extname(filename))
  copyFileSync(path, kept)
  note(`${label} (${metadata}): ${message} It is kept in .cache/decode.`)
}

/** Good files of every type, small ones, that mutations begin with; the first is a photo. */
const seedsOf = async ({ folder, random, corpus, size }: ProofContext): Promise<Given[]> => {
  const tools = join(folder, 'tools')
  const pictures = random.fork('seeds').shuffle(goodPictures())
  const some = (list: readonly Made[], most: number): readonly Made[] => (size === 'ci' ? list.slice(0, most) : list)
  const wanted = ['jpg', 'png', 'webp', 'avif', 'gif', 'tif'].flatMap((extension) => {
    const all = pictures.filter(({ filename }) => filename.endsWith(`.${extension}`))
    return all.slice(0, size === 'ci' ? 4 : 14)
  })
  const made = [...wanted, ...some(heics(tools), 1), ...some(recordingsIn(tools), 3)]
  const seeds: Given[] = []
  for (const { label, filename, bytes } of made) seeds.push({ label, filename, bytes: Buffer.from(await bytes()) })
  const small = corpusFiles(corpus).filter(({ label }) => /^(?:smallest|odd)\//.test(label))
  const read = small.map(({ label, filename, path }) => ({ label, filename, bytes: readFileSync(path) }))
  return [...seeds, ...read.filter(({ bytes }) => bytes.length > 0 && bytes.length < 40_000)]
}

/** All that is broken, odd or smallest, or as fair a part of it as there are mutations. */
const sampled = ({ corpus, random, amount }: ProofContext) => {
  const all = corpusFiles(corpus).filter(({ label }) => !label.startsWith('orientation/'))
  const share = Math.min(1, Math.max(0.06, amount / decode.amount.full))
  return random
    .fork('corpus')
    .shuffle(all)
    .slice(0, Math.ceil(all.length * share))
}

/** Every way in turn, of any good file, now and then several at once. */
const mutated = (seeds: readonly Given[], random: Random, turn: number): Given => {
  const { label, filename, bytes } = random.pick(seeds)
  const first = mutationNames[turn % mutationNames.length] ?? 'flip'
  const names = [first, ...(random.chance(0.25) ? [random.pick(mutationNames), random.pick(mutationNames)] : [])]
  const worse = names.reduce((current, name) => mutations[name]?.(current, random, random.pick(seeds).bytes) ?? current, bytes)
  return { label: `${label}, ${names.join(' and ')} ${turn}`, filename, bytes: worse }
}

const writtenTo = (folder: string, given: Given | undefined): string => {
  const path = join(folder, given?.filename ?? 'none')
  writeFileSync(path, given?.bytes ?? '')
  return path
}
