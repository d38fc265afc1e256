import assert from 'node:assert/strict'
import type { Analyzer } from '../core/ports/analyzer.ts'
import { assertPart, type ContractSample, endOf, inOddChunks, show, stalling, unreadable } from './gate-contract/trial.ts'

export interface AnalyzerContractContext {
  /** An existing folder on disk in which cases may write. Several may share it. */
  readonly folder: string
  /** Files of the kind that it will be given, at least one; two that it tells apart show that it mixes none up. */
  readonly samples: readonly [ContractSample, ...ContractSample[]]
}

/** One promise of the analyzer contract. It rejects when the analyzer breaks it. */
export interface AnalyzerContractCase {
  readonly name: string
  run(analyzer: Analyzer, context: AnalyzerContractContext): Promise<void>
}

const mostBytes = 16 * 1024

/** What every analyzer promises, as data: run each over yours, in any test runner. */
export const analyzerContract: readonly AnalyzerContractCase[] = [
  {
    name: 'has a name, and a time that can be waited',
    async run(analyzer) {
      assertPart(analyzer)
      assert.equal(typeof analyzer.analyze, 'function')
    },
  },
  {
    name: 'returns an object that JSON keeps as it is, of at most 16 KiB',
    async run(analyzer, { folder, samples }) {
      for (const sample of samples) {
        const found = await analyzer.analyze((await show(folder, sample)).file)
        assert.ok(typeof found === 'object' && found !== null && !Array.isArray(found), 'it is no object')
        const json = JSON.stringify(found)
        assert.deepEqual(JSON.parse(json), found, 'something in it does not survive JSON: a Date, undefined, NaN, a Map')
        assert.ok(Buffer.byteLength(json) <= mostBytes, `it is ${Buffer.byteLength(json)} bytes as JSON`)
      }
    },
  },
  {
    name: 'says the same of the same bytes, wherever they lie and in whatever chunks they come',
    async run(analyzer, { folder, samples }) {
      for (const sample of samples) {
        const one = await show(folder, sample)
        const other = await show(folder, sample, {
          assetId: '01890000-0000-7000-8000-000000000001',
          stream: () => inOddChunks(sample.bytes),
        })
        assert.deepEqual(await analyzer.analyze(other.file), await analyzer.analyze(one.file))
      }
    },
  },
  {
    name: 'looks at several files at once, and mixes none up',
    async run(analyzer, { folder, samples }) {
      const places = await Promise.all([...samples, ...samples].map((sample) => show(folder, sample)))
      const alone: unknown[] = []
      for (const { file } of places) alone.push(await analyzer.analyze(file))
      assert.deepEqual(await Promise.all(places.map(({ file }) => analyzer.analyze(file))), alone)
    },
  },
  {
    name: 'changes nothing of the file, and leaves nothing beside it',
    async run(analyzer, { folder, samples }) {
      for (const sample of samples) {
        const place = await show(folder, sample)
        await analyzer.analyze(place.file)
        await place.unchanged()
      }
    },
  },
  {
    name: 'says nothing else of a file that it cannot read to the end',
    async run(analyzer, { folder, samples: [sample] }) {
      const read = await analyzer.analyze((await show(folder, sample)).file)
      const { file } = await unreadable(folder, sample)
      const [outcome] = await Promise.allSettled([(async () => analyzer.analyze(file))()])
      if (outcome.status === 'fulfilled') assert.deepEqual(outcome.value, read, 'it made something up instead of throwing')
    },
  },
  {
    name: 'does not begin when it has no time left',
    async run(analyzer, { folder, samples: [sample] }) {
      const { file } = await show(folder, sample, { signal: AbortSignal.abort() })
      await assert.rejects(async () => analyzer.analyze(file), 'it began although its signal had fired')
    },
  },
  {
    name: 'ends when its signal fires, whatever it is doing',
    async run(analyzer, { folder, samples: [sample] }) {
      const signal = AbortSignal.timeout(200)
      const { file } = await stalling(folder, sample, signal)
      await endOf(async () => analyzer.analyze(file), signal)
    },
  },
]
