import assert from 'node:assert/strict'
import { lstat, mkdir, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRindleError } from '../core/errors.ts'
import type { Processor } from '../core/ports/processor.ts'
import type { Recipe } from '../core/recipe.ts'
import { assertPart, type ContractSample, endOf, never, type Place, show, stalling, unreadable } from './gate-contract/trial.ts'

export interface ProcessorContractContext {
  /** An existing folder on disk in which cases may write. Several may share it. */
  readonly folder: string
  /** A file that it can make the variant of. */
  readonly sample: ContractSample
  /** What a profile asks for: `image({ width: 320 })`. */
  readonly recipe: Recipe
  /** The variant's name. Default `thumb`. */
  readonly variant?: string
  /** A file that passes the gate and of which it can never make the variant. */
  readonly impossible?: ContractSample
}

/** One promise of the processor contract. It rejects when the processor breaks it. */
export interface ProcessorContractCase {
  readonly name: string
  /** What the context must have for it. */
  readonly needs?: 'impossible'
  run(processor: Processor, context: ProcessorContractContext): Promise<void>
}

/** A variant to be made in a folder of its own beside the file. */
const prepare = async (processor: Processor, { recipe, variant = 'thumb' }: ProcessorContractContext, place: Place) => {
  const folder = join(place.folder, 'made')
  await mkdir(folder)
  const destination = join(folder, 'variant')
  const { file } = place
  return { destination, run: async () => processor.process({ file, variant, recipe, destination, signal: file.signal }) }
}

/** The bytes of a variant that is one plain file and all that was written. */
const variantAt = async (destination: string): Promise<Buffer> => {
  assert.deepEqual(await readdir(dirname(destination)), ['variant'], 'it writes its destination, and nothing else')
  const stats = await lstat(destination)
  assert.ok(stats.isFile() && stats.nlink === 1, 'the variant must be a plain file, and no link')
  assert.ok(stats.size > 0, 'the variant is empty')
  return readFile(destination)
}

const isVerdict = (err: unknown): boolean => isRindleError(err) && err.code === 'variant_failed'

/** What every processor promises, as data: run each over yours, in any test runner. */
export const processorContract: readonly ProcessorContractCase[] = [
  {
    name: 'has a name, and a time that can be waited',
    async run(processor) {
      assertPart(processor)
      assert.equal(typeof processor.process, 'function')
    },
  },
  {
    name: 'writes a plain file to the destination, and nothing else',
    async run(processor, context) {
      const { destination, run } = await prepare(processor, context, await show(context.folder, context.sample))
      await run()
      await variantAt(destination)
    },
  },
  {
    name: 'is done with it when it says so',
    async run(processor, context) {
      const { destination, run } = await prepare(processor, context, await show(context.folder, context.sample))
      await run()
      const [before, then] = [await lstat(destination, { bigint: true }), await variantAt(destination)]
      await sleep(300)
      const after = await lstat(destination, { bigint: true })
      assert.ok((await variantAt(destination)).equals(then), 'it was still writing')
      assert.deepEqual([after.ino, after.mtimeNs], [before.ino, before.mtimeNs], 'it wrote once more')
    },
  },
  {
    name: 'changes nothing of the file, and leaves nothing beside it',
    async run(processor, context) {
      const place = await show(context.folder, context.sample)
      const { run } = await prepare(processor, context, place)
      await run()
      await place.unchanged()
      assert.deepEqual((await readdir(place.folder)).toSorted(), ['made', 'shown'])
    },
  },
  {
    name: 'makes several at once',
    async run(processor, context) {
      const places = await Promise.all([1, 2, 3, 4].map(() => show(context.folder, context.sample)))
      const made = await Promise.all(places.map((place) => prepare(processor, context, place)))
      await Promise.all(made.map(({ run }) => run()))
      for (const { destination } of made) await variantAt(destination)
    },
  },
  {
    name: 'does not begin when it has no time left',
    async run(processor, context) {
      const place = await show(context.folder, context.sample, { signal: AbortSignal.abort() })
      const { run } = await prepare(processor, context, place)
      await assert.rejects(run, (err) => !isVerdict(err), 'it began, or gave the variant up for good, although its signal had fired')
    },
  },
  {
    name: 'ends when its signal fires, whatever it is doing',
    async run(processor, context) {
      const signal = AbortSignal.timeout(200)
      const { run } = await prepare(processor, context, await stalling(context.folder, context.sample, signal))
      const outcome = await endOf(run, signal)
      assert.ok(outcome.status === 'fulfilled' || !isVerdict(outcome.reason), 'want of time is no reason to give the variant up for good')
    },
  },
  {
    name: 'does not give a variant up for good because the file could not be read',
    async run(processor, context) {
      const { run } = await prepare(processor, context, await unreadable(context.folder, context.sample, { signal: never }))
      const [outcome] = await Promise.allSettled([run()])
      assert.ok(outcome.status === 'fulfilled' || !isVerdict(outcome.reason), 'a fault of the disk is no variant_failed')
    },
  },
  {
    name: 'throws variant_failed for what it can never make',
    needs: 'impossible',
    async run(processor, { impossible, ...context }) {
      assert.ok(impossible)
      const place = await show(context.folder, impossible)
      const { run } = await prepare(processor, context, place)
      await assert.rejects(run, isVerdict, 'it did not throw variant_failed')
      await place.unchanged()
    },
  },
]
