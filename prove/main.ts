import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { amountOf, type Proof, type ProofReport, type ProofSize, runProof } from './harness.ts'
import { keep } from './record.ts'
import { proofs } from './table.ts'

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string' },
    size: { type: 'string' },
    nightly: { type: 'boolean', default: false },
    corpus: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

const usage = `npm run prove [-- [NAME…] [--seed N] [--json] [--nightly] [--size ci|tenth|full] [--corpus DIR]…]

  Without a name: all of them at a tenth of their numbers, or in full with --nightly. With names: those, in full.
  What they gave is written to PROOF.json, and from there to the README's table, when the source is as it was committed.
  --corpus adds a folder of files to those of the project, for the proofs that take files.

${proofs.map(({ name, means, unit, amount }) => `  ${name.padEnd(12)} ${means} (${amount.full} ${unit})`).join('\n')}`

const size = chosenSize()
const seed = values.seed === undefined ? freshSeed() : Number(values.seed)
const ownCorpus = fileURLToPath(new URL('../test/corpus', import.meta.url))
const corpus = [ownCorpus, ...values.corpus.map((folder) => resolve(folder))]
const missing = corpus.filter((folder) => !statSync(folder, { throwIfNoEntry: false })?.isDirectory())
const unknown = positionals.filter((name) => !proofs.some((proof) => proof.name === name))
if (values.help || unknown.length > 0 || missing.length > 0 || size === null || !Number.isSafeInteger(seed)) {
  const wrong = [...unknown.map((name) => `No proof is called ${name}.`), ...missing.map((folder) => `No folder is at ${folder}.`)]
  console.error([...wrong, ...(wrong.length > 0 ? [''] : []), usage].join('\n'))
  process.exit(values.help ? 0 : 2)
}

for (const proof of proofs.filter(isChosen)) {
  const report = await prove(proof, size)
  const isKept = size !== 'ci' && values.corpus.length === 0 && keep(proofs, report, size)
  if (size !== 'ci' && !isKept && !values.json)
    console.log('  Not kept in PROOF.json: it is smaller than what stands there, or not of the project as committed.')
  if (values.json) console.log(JSON.stringify(report))
  else print(proof, report)
  if (!report.ok) process.exitCode = 1
}
// What a stopped proof left open must not keep the verdict waiting.
process.exit()

async function prove(proof: Proof, size: ProofSize): Promise<ProofReport> {
  const folder = mkdtempSync(join(tmpdir(), `rindle-prove-${proof.name}-`))
  const say = (text: string) => (values.json ? console.error : console.log)(`  ${text}`)
  if (!values.json) console.log(`${proof.name}: ${proof.means} (${amountOf(proof, size)} ${proof.unit}, --seed ${seed})`)
  try {
    return await runProof(proof, {
      size,
      seed,
      folder,
      corpus,
      note: (text) => values.json || say(text),
      breach: (text) => say(`BREACH ${proof.name}: ${text}`),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function isChosen({ name, nightly = false }: Proof): boolean {
  return positionals.length > 0 ? positionals.includes(name) : values.nightly || !nightly
}

function print(proof: Proof, report: ProofReport): void {
  const { proof: _, seed: seeded, runs, violations, ms, ok, ...figures } = report
  const extra = Object.entries(figures).map(([name, value]) => `, ${name} ${value}`)
  console.log(`  ${ok ? 'holds' : 'BROKEN'}: ${violations} violations in ${runs} runs, ${(ms / 1000).toFixed(1)} s${extra.join('')}`)
  if (!ok) console.log(`  Again: npm run prove -- ${proof.name} --seed ${seeded}`)
}

function chosenSize(): ProofSize | null {
  if (values.size !== undefined) return values.size === 'ci' || values.size === 'tenth' || values.size === 'full' ? values.size : null
  return values.nightly || positionals.length > 0 ? 'full' : 'tenth'
}

function freshSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!
}
