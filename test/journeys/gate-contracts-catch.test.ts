import assert from 'node:assert/strict'
import { copyFile, link, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRindleError, RindleError } from '../../src/core/errors.ts'
import type { Analyzer } from '../../src/core/ports/analyzer.ts'
import type { FileUnderGate } from '../../src/core/ports/file-under-gate.ts'
import type { Processor } from '../../src/core/ports/processor.ts'
import type { Scanner } from '../../src/core/ports/scanner.ts'
import { image } from '../../src/core/image-recipe.ts'
import { analyzerContract } from '../../src/testing/analyzer-contract.ts'
import { processorContract } from '../../src/testing/processor-contract.ts'
import { scannerContract } from '../../src/testing/scanner-contract.ts'

const folder = await mkdtemp(join(tmpdir(), 'rindle-contracts-'))
after(() => rm(folder, { recursive: true, force: true }))

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const marker = 'find me'
const infected = { bytes: encode(`before ${marker} behind`) }
const never = new AbortController().signal

/** All of a file as text, unless its signal fires first. */
const read = async ({ stream }: Pick<FileUnderGate, 'stream'>, signal: AbortSignal): Promise<string> => {
  signal.throwIfAborted()
  const reader = stream().getReader()
  const stop = (): void => void reader.cancel(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    let text = ''
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += Buffer.from(next.value).toString('latin1')
    signal.throwIfAborted()
    return text
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const resultOf = (text: string) => (text.includes(marker) ? { clean: false as const, threat: 'Found.Me' } : { clean: true as const })
const sound: Scanner = {
  name: 'sound',
  scan: async (file) => resultOf(await read(file, file.signal)),
  check: async () => 'it is there',
}
const until = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
const unanswered: Scanner = { name: 'sound', scan: ({ signal }) => until(signal), check: ({ signal }) => until(signal) }
const beginning = <C extends { readonly name: string }>(contract: readonly C[], words: string): C => {
  const [found, ...others] = contract.filter(({ name }) => name.startsWith(words))
  assert.ok(found && others.length === 0, `there is not one case that begins with: ${words}`)
  return found
}

interface Breaker<T> {
  /** How the name of the case begins that must notice. */
  readonly breaks: string
  readonly broken: () => Partial<T>
}

const withMemory = (): Scanner['scan'] => {
  const seen = new Set<string>()
  return async (file) => {
    if (seen.has(file.sha256)) return { clean: true }
    seen.add(file.sha256)
    return sound.scan(file)
  }
}

const oneAtATime = (): Scanner['scan'] => {
  let text = ''
  return async (file) => {
    text = await read(file, file.signal)
    await sleep(20)
    return resultOf(text)
  }
}

const scanners: Readonly<Record<string, Breaker<Scanner> & { readonly unanswered?: Partial<Scanner> }>> = {
  'has a name that no row takes': { breaks: 'has a name', broken: () => ({ name: 'my scanner' }) },
  'cannot wait': { breaks: 'has a name', broken: () => ({ timeoutSeconds: 0 }) },
  'finds something in everything': { breaks: 'finds nothing in', broken: () => ({ scan: async () => ({ clean: false, threat: 'All' }) }) },
  'throws for an empty file': {
    breaks: 'finds nothing in',
    broken: () => ({ scan: (file) => (file.byteSize === 0 ? Promise.reject(new RangeError('empty')) : sound.scan(file)) }),
  },
  'finds nothing': { breaks: 'finds what', broken: () => ({ scan: async () => ({ clean: true }) }) },
  'has no name for what it finds': {
    breaks: 'finds what',
    broken: () => ({ scan: async (file) => ({ ...(await sound.scan(file)), threat: '' }) }),
  },
  'takes what it has seen for clean': { breaks: 'finds what', broken: () => ({ scan: withMemory() }) },
  'looks at each chunk by itself': {
    breaks: 'finds it in whatever',
    broken: () => ({
      async scan(file) {
        for await (const chunk of file.stream()) if (Buffer.from(chunk).includes(marker)) return { clean: false, threat: 'Found.Me' }
        return { clean: true }
      },
    }),
  },
  'takes an empty chunk for the end': {
    breaks: 'finds it in whatever',
    broken: () => ({
      async scan(file) {
        let text = ''
        for await (const chunk of file.stream()) {
          if (chunk.byteLength === 0) break
          text += Buffer.from(chunk).toString()
        }
        return resultOf(text)
      },
    }),
  },
  'takes small files only': {
    breaks: 'looks through',
    broken: () => ({
      async scan(file) {
        const text = await read(file, file.signal)
        if (text.length > 500_000) throw new RindleError('scan_limit_exceeded', { scanner: 'sound', maxBytes: 500_000 })
        return resultOf(text)
      },
    }),
  },
  'confuses files that come at once': { breaks: 'looks at several', broken: () => ({ scan: oneAtATime() }) },
  'takes away what it finds': {
    breaks: 'changes nothing',
    broken: () => ({
      async scan(file) {
        const result = await sound.scan(file)
        if (!result.clean) await rm(file.path)
        return result
      },
    }),
  },
  'leaves a report beside the file': {
    breaks: 'changes nothing',
    broken: () => ({
      async scan(file) {
        await writeFile(`${file.path}.report`, 'seen')
        return sound.scan(file)
      },
    }),
  },
  'takes what it cannot read for clean': {
    breaks: 'passes nothing that it cannot read',
    broken: () => ({ scan: (file) => sound.scan(file).catch(() => ({ clean: true })) }),
  },
  'begins whatever its signal says': {
    breaks: 'passes nothing for which',
    broken: () => ({ scan: async (file) => resultOf(await readFile(file.path, 'latin1')) }),
  },
  'does not hear its signal': {
    breaks: 'ends when its signal',
    broken: () => ({
      async scan(file) {
        file.signal.throwIfAborted()
        return resultOf(await read(file, never))
      },
    }),
  },
  'passes what nobody has looked at in time': {
    breaks: 'passes nothing when nobody',
    broken: () => ({}),
    unanswered: { scan: ({ signal }) => until(signal).catch(() => ({ clean: true })) },
  },
  'waits for ever': { breaks: 'passes nothing when nobody', broken: () => ({}), unanswered: { scan: () => until(never) } },
  'tells doctor a novel': { breaks: 'says in one line', broken: () => ({ check: async () => 'one\ntwo' }) },
  'tells doctor that all is well': {
    breaks: 'says in one line',
    broken: () => ({}),
    unanswered: { check: async () => 'it is there' },
  },
}

const words: Analyzer = {
  name: 'words',
  analyze: async (file) => ({ words: (await read(file, file.signal)).split(' ').length }),
}
let count = 0
const samples = [{ bytes: encode('one two three') }, { bytes: encode('one two') }] as const

const sharing = (): Analyzer['analyze'] => {
  let text = ''
  return async (file) => {
    text = await read(file, file.signal)
    await sleep(20)
    return { words: text.split(' ').length }
  }
}

const analyzers: Readonly<Record<string, Breaker<Analyzer>>> = {
  'has a name that no row takes': { breaks: 'has a name', broken: () => ({ name: '' }) },
  'returns a list': { breaks: 'returns an object', broken: () => ({ analyze: async () => JSON.parse('[1]') }) },
  'returns what JSON loses': { breaks: 'returns an object', broken: () => ({ analyze: async () => ({ at: new Date(0) }) }) },
  'returns a book': { breaks: 'returns an object', broken: () => ({ analyze: async () => ({ text: 'a'.repeat(17_000) }) }) },
  'counts its calls': { breaks: 'says the same', broken: () => ({ analyze: async () => ({ call: (count += 1) }) }) },
  'counts chunks': {
    breaks: 'says the same',
    broken: () => ({
      async analyze(file) {
        let chunks = 0
        for await (const _ of file.stream()) chunks += 1
        return { chunks }
      },
    }),
  },
  'confuses files that come at once': { breaks: 'looks at several', broken: () => ({ analyze: sharing() }) },
  'writes into the file': {
    breaks: 'changes nothing',
    broken: () => ({
      async analyze(file) {
        const found = await words.analyze(file)
        await writeFile(file.path, 'seen')
        return found
      },
    }),
  },
  'makes something up': {
    breaks: 'says nothing else',
    broken: () => ({ analyze: (file) => words.analyze(file).catch(() => ({ words: 0 })) }),
  },
  'begins whatever its signal says': { breaks: 'does not begin', broken: () => ({ analyze: async () => ({}) }) },
  'does not hear its signal': {
    breaks: 'ends when',
    broken: () => ({
      async analyze(file) {
        file.signal.throwIfAborted()
        return { length: (await read(file, never)).length }
      },
    }),
  },
}

const shout: Processor = {
  name: 'shout',
  async process({ file, destination, signal, variant }) {
    const text = await read(file, signal)
    if (text === '') throw new RindleError('variant_failed', { variant })
    await writeFile(destination, text.toUpperCase(), { flag: 'wx' })
  },
}
const made = { recipe: image({ width: 320 }), sample: { bytes: encode('say it aloud') }, impossible: { bytes: new Uint8Array() } }

const givingUp =
  (givesUp: (err: unknown) => boolean): Processor['process'] =>
  (job) =>
    shout.process(job).catch((err: unknown) => {
      throw givesUp(err) ? new RindleError('variant_failed', { variant: job.variant }) : err
    })

const processors: Readonly<Record<string, Breaker<Processor>>> = {
  'has a name that no row takes': { breaks: 'has a name', broken: () => ({ name: 'sh/out' }) },
  'writes nothing': { breaks: 'writes a plain', broken: () => ({ process: async () => {} }) },
  'writes an empty file': { breaks: 'writes a plain', broken: () => ({ process: ({ destination }) => writeFile(destination, '') }) },
  'links to the file': {
    breaks: 'writes a plain',
    broken: () => ({ process: ({ file, destination }) => symlink(file.path, destination) }),
  },
  'gives the file a second name': {
    breaks: 'writes a plain',
    broken: () => ({ process: ({ file, destination }) => link(file.path, destination) }),
  },
  'leaves a draft': {
    breaks: 'writes a plain',
    broken: () => ({
      async process(job) {
        await writeFile(`${job.destination}.draft`, 'draft')
        await shout.process(job)
      },
    }),
  },
  'writes on when it says that it is done': {
    breaks: 'is done',
    broken: () => ({
      async process(job) {
        await shout.process(job)
        void sleep(100).then(() => writeFile(job.destination, 'more'))
      },
    }),
  },
  'moves the file away': {
    breaks: 'changes nothing',
    broken: () => ({ process: ({ file, destination }) => rename(file.path, destination) }),
  },
  'leaves a draft elsewhere': {
    breaks: 'changes nothing',
    broken: () => ({
      async process(job) {
        await copyFile(job.file.path, join(dirname(dirname(job.file.path)), 'draft'))
        await shout.process(job)
      },
    }),
  },
  'makes one at a time': {
    breaks: 'makes several',
    broken: () => {
      let isBusy = false
      return {
        async process(job) {
          if (isBusy) throw new RangeError('busy')
          isBusy = true
          await sleep(20)
          isBusy = false
          await shout.process(job)
        },
      }
    },
  },
  'begins whatever its signal says': {
    breaks: 'does not begin',
    broken: () => ({ process: ({ file, destination }) => copyFile(file.path, destination) }),
  },
  'gives up for good what was aborted': {
    breaks: 'does not begin',
    broken: () => ({ process: givingUp((err) => err instanceof DOMException) }),
  },
  'does not hear its signal': {
    breaks: 'ends when',
    broken: () => ({ process: (job) => shout.process({ ...job, signal: never }) }),
  },
  'gives up for good what it could not read': {
    breaks: 'does not give',
    broken: () => ({ process: givingUp((err) => isRindleError(err) && err.code === 'storage_failed') }),
  },
  'tries for ever what is impossible': {
    breaks: 'throws variant_failed',
    broken: () => ({
      process: (job) => shout.process(job).catch(() => Promise.reject(new RangeError('cannot'))),
    }),
  },
}

const suites = [
  {
    title: 'scanner',
    contract: scannerContract,
    breaks: Object.values(scanners).map(({ breaks }) => breaks),
  },
  { title: 'analyzer', contract: analyzerContract, breaks: Object.values(analyzers).map(({ breaks }) => breaks) },
  { title: 'processor', contract: processorContract, breaks: Object.values(processors).map(({ breaks }) => breaks) },
] as const

describe('the scanner contract', { concurrency: 8 }, () => {
  for (const promise of scannerContract)
    it(`is kept by a sound one: ${promise.name}`, () => promise.run(sound, { folder, infected, unanswered }))
  for (const [breach, { breaks, broken, unanswered: silent }] of Object.entries(scanners))
    it(`notices a scanner that ${breach}`, { timeout: 30_000 }, () =>
      assert.rejects(() =>
        beginning(scannerContract, breaks).run({ ...sound, ...broken() }, { folder, infected, unanswered: { ...unanswered, ...silent } }),
      ),
    )
})

describe('the analyzer contract', { concurrency: 8 }, () => {
  for (const promise of analyzerContract) it(`is kept by a sound one: ${promise.name}`, () => promise.run(words, { folder, samples }))
  for (const [breach, { breaks, broken }] of Object.entries(analyzers))
    it(`notices an analyzer that ${breach}`, { timeout: 30_000 }, () =>
      assert.rejects(() => beginning(analyzerContract, breaks).run({ ...words, ...broken() }, { folder, samples })),
    )
})

describe('the processor contract', { concurrency: 8 }, () => {
  for (const promise of processorContract) it(`is kept by a sound one: ${promise.name}`, () => promise.run(shout, { folder, ...made }))
  for (const [breach, { breaks, broken }] of Object.entries(processors))
    it(`notices a processor that ${breach}`, { timeout: 30_000 }, () =>
      assert.rejects(() => beginning(processorContract, breaks).run({ ...shout, ...broken() }, { folder, ...made })),
    )
})

describe('the contracts of the gate', () => {
  for (const { title, contract, breaks } of suites)
    it(`have somebody break each promise of a ${title}`, () => {
      const unbroken = contract.filter(({ name }) => !breaks.some((words) => name.startsWith(words)))
      assert.deepEqual(
        unbroken.map(({ name }) => name),
        [],
      )
    })
})
