import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type ProofReport, runProof } from '../../prove/harness.ts'
import { playInMemory, sealed } from '../../prove/sealed.ts'
import type { Sabotage } from '../../prove/sealed/ground.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-sealed-'))
after(() => rmSync(folder, { recursive: true, force: true }))

type Trial = { readonly amount: number; readonly sabotage?: Sabotage; readonly until?: RegExp }

/** Ends with its amount, or with the first breach that reads like `until`. */
const prove = async ({
  amount,
  sabotage,
  until,
}: Trial): Promise<{ readonly report: ProofReport; readonly breaches: readonly string[] }> => {
  const breaches: string[] = []
  const noticed = new AbortController()
  const report = await runProof(
    {
      ...sealed,
      async run(context) {
        const signal = AbortSignal.any([context.signal, noticed.signal])
        const counts = await playInMemory({ ...context, signal }, { amount, ...(sabotage ? { sabotage } : {}) })
        return { runs: counts.served + counts.refused + counts.abandoned, figures: counts }
      },
    },
    {
      ...{ size: 'ci', seed: 5, folder, note: () => {} },
      breach(text) {
        breaches.push(text)
        if (until?.test(text)) noticed.abort()
      },
    },
  )
  return { report, breaches }
}

/** While the gate reads the sealed object it is given the staging object, for as long as that is there. */
const readsWhatWasStaged: Sabotage = (adapter) => {
  const sources = new Map<string, string>()
  return {
    ...adapter,
    copy(from, to, options) {
      sources.set(to, from)
      return adapter.copy(from, to, options)
    },
    read: async (key, options) => (await adapter.read(sources.get(key) ?? key, options)) ?? adapter.read(key, options),
  }
}

/** Sends each copy once more, which lands shortly before the staging object is deleted. */
const repeatsCopiesLate: Sabotage = (adapter) => {
  const repeats = new Map<string, string>()
  return {
    ...adapter,
    copy(from, to, options) {
      repeats.set(from, to)
      return adapter.copy(from, to, options)
    },
    async delete(key, options) {
      const to = repeats.get(key)
      if (to !== undefined) await adapter.copy(key, to, { signal: AbortSignal.timeout(50) }).catch(() => null)
      return adapter.delete(key, options)
    },
  }
}

/** Gives clients tickets for the very keys that are served. */
const signsForSealedKeys: Sabotage = (adapter) => {
  const { signPut } = adapter
  assert.ok(signPut)
  return { ...adapter, signPut: (key, options) => signPut(key.replace('staging/', 'sealed/'), options) }
}

describe('the proof that what is served is sealed', () => {
  it('holds over adapters that keep their contract', async () => {
    const { report, breaches } = await prove({ amount: 40 })
    assert.deepEqual(breaches, [])
    assert.ok(report.ok)
    assert.equal(report.runs, 40)
    for (const figure of ['served', 'refused', 'multiparts', 'rePuts', 'knocks', 'landedLate'])
      assert.ok(Number(report[figure]) > 0, figure)
  })

  for (const [what, sabotage, notices] of [
    [
      'the staging object is hashed instead of the sealed one',
      readsWhatWasStaged,
      /has other bytes by its URL than those that were hashed/,
    ],
    ['a copy is repeated late on the same key', repeatsCopiesLate, /was served, and after everything had landed it has other bytes/],
    ['tickets lead to sealed keys', signsForSealedKeys, /a ticket that writes was given out/],
  ] as const)
    it(`reports breaches where ${what}`, async () => {
      const { report, breaches } = await prove({ amount: 1000, sabotage, until: notices })
      assert.equal(report.ok, false)
      assert.ok(
        breaches.some((text) => notices.test(text)),
        breaches.join('\n'),
      )
    })
})
