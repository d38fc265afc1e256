import assert from 'node:assert/strict'
import type { FileUnderGate } from '../core/ports/file-under-gate.ts'
import type { Scanner, ScanResult } from '../core/ports/scanner.ts'
import { assertPart, type ContractSample, endOf, inOddChunks, show, stalling, unreadable } from './gate-contract/trial.ts'
import { encode, patternOf } from './storage-contract/trial.ts'

export type { ContractSample } from './gate-contract/trial.ts'

export interface ScannerContractContext {
  /** An existing folder on disk in which cases may write. Several may share it. */
  readonly folder: string
  /** What the scanner has to find. */
  readonly infected: ContractSample
  /** What it has to find nothing in. Default: a line of text. */
  readonly clean?: ContractSample
  /** Size of the large file, which it has to be able to look through. Default 1 MiB. */
  readonly largeBytes?: number
  /** The same scanner where nobody answers: the address of a server that takes connections and says nothing, a program that hangs. */
  readonly unanswered?: Scanner
}

/** One promise of the scanner contract. It rejects when the scanner breaks it. */
export interface ScannerContractCase {
  readonly name: string
  /** What the context must have for it. */
  readonly needs?: 'unanswered'
  run(scanner: Scanner, context: ScannerContractContext): Promise<void>
}

const harmless: ContractSample = { bytes: encode('A line of text, as harmless as can be.\n') }
const cleanIn = ({ clean = harmless }: ScannerContractContext): ContractSample => clean

const assertClean = (result: ScanResult): void =>
  assert.deepEqual(result, { clean: true }, 'a clean file is { clean: true } and nothing else')

const assertFound = (result: ScanResult): string => {
  assert.ok(!result.clean, 'it did not find what it has to find')
  assert.deepEqual(Object.keys(result).toSorted(), ['clean', 'threat'])
  assert.match(result.threat, /^[^\p{C}]{1,200}$/u, 'a threat has a name of one line, at most 200 characters')
  return result.threat
}

/** What every scanner promises, as data: run each over yours, in any test runner. */
export const scannerContract: readonly ScannerContractCase[] = [
  {
    name: 'has a name, and a time that can be waited',
    async run(scanner) {
      assertPart(scanner)
      assert.equal(typeof scanner.scan, 'function')
    },
  },
  {
    name: 'finds nothing in a clean file, and nothing in an empty one',
    async run(scanner, context) {
      for (const sample of [cleanIn(context), { ...cleanIn(context), bytes: new Uint8Array() }])
        assertClean(await scanner.scan((await show(context.folder, sample)).file))
    },
  },
  {
    name: 'finds what it has to find, by name, each time that it is asked',
    async run(scanner, { folder, infected }) {
      const { file } = await show(folder, infected)
      const threat = assertFound(await scanner.scan(file))
      assert.equal(assertFound(await scanner.scan(file)), threat)
    },
  },
  {
    name: 'finds it in whatever chunks it comes',
    async run(scanner, { folder, infected }) {
      const { file } = await show(folder, infected, { stream: () => inOddChunks(infected.bytes) })
      assertFound(await scanner.scan(file))
    },
  },
  {
    name: 'looks through a large file',
    async run(scanner, { folder, largeBytes = 2 ** 20, ...context }) {
      const bytes = patternOf(largeBytes)
      const { file } = await show(folder, { ...cleanIn({ folder, ...context }), bytes }, { stream: () => inOddChunks(bytes) })
      assertClean(await scanner.scan(file))
    },
  },
  {
    name: 'looks at several files at once, and mixes none up',
    async run(scanner, { folder, infected, ...context }) {
      const clean = cleanIn({ folder, infected, ...context })
      const places = await Promise.all([clean, infected, clean, infected, clean, infected].map((sample) => show(folder, sample)))
      const results = await Promise.all(places.map(({ file }) => scanner.scan(file)))
      for (const [index, result] of results.entries()) index % 2 === 0 ? assertClean(result) : assertFound(result)
    },
  },
  {
    name: 'changes nothing of the file, and leaves nothing beside it',
    async run(scanner, { folder, infected, ...context }) {
      for (const sample of [cleanIn({ folder, infected, ...context }), infected]) {
        const place = await show(folder, sample)
        await scanner.scan(place.file)
        await place.unchanged()
      }
    },
  },
  {
    name: 'passes nothing that it cannot read to the end',
    async run(scanner, context) {
      const { file } = await unreadable(context.folder, cleanIn(context))
      await assert.rejects(async () => scanner.scan(file), 'it had a result for a file of which it saw nothing')
    },
  },
  {
    name: 'passes nothing for which it has no time left',
    async run(scanner, context) {
      const { file } = await show(context.folder, cleanIn(context), { signal: AbortSignal.abort() })
      await assert.rejects(async () => scanner.scan(file), 'it began although its signal had fired')
    },
  },
  {
    name: 'ends when its signal fires, whatever it is doing',
    async run(scanner, context) {
      const signal = AbortSignal.timeout(200)
      const { file } = await stalling(context.folder, cleanIn(context), signal)
      await endOf(async () => scanner.scan(file), signal)
    },
  },
  {
    name: 'passes nothing when nobody answers, and ends when its signal fires',
    needs: 'unanswered',
    async run(_, { folder, unanswered, ...context }) {
      assert.ok(unanswered)
      const signal = AbortSignal.timeout(300)
      const { file } = await show(folder, cleanIn({ folder, ...context }), { signal })
      await assertRejected(unanswered, file, signal)
    },
  },
  {
    name: 'says in one line that it answers, where it says so at all',
    async run(scanner, { unanswered }) {
      if (!scanner.check) return
      const said = await scanner.check({ signal: AbortSignal.timeout(30_000) })
      assert.match(said, /^[^\p{C}]{1,300}$/u, 'what check says is one line')
      if (!unanswered) return
      assert.ok(unanswered.check, 'one has a check, the other has none')
      const signal = AbortSignal.timeout(300)
      const outcome = await endOf(async () => unanswered.check?.({ signal }), signal)
      assert.equal(outcome.status, 'rejected', 'check must throw when nobody answers')
    },
  },
]

const assertRejected = async (scanner: Scanner, file: FileUnderGate, signal: AbortSignal): Promise<void> => {
  const outcome = await endOf(async () => scanner.scan(file), signal)
  assert.equal(outcome.status, 'rejected', 'it had a result although nobody answered')
}
