import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { amountOf, type Proof, type ProofReport, type ProofSize, runProof } from './harness.ts'
import { proofs } from './table.ts'

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string' },
    size: { type: 'string' },
    nightly: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

const usage = `npm run prove [-- [NAME…] [--seed N] [--json] [--nightly] [--size ci|tenth|full]]

  Without a name: all of them at a tenth of their numbers, or in full with --nightly. With names: those, in full.

${proofs.map(({ name, means, unit, amount }) => `  ${name.padEnd(12)} ${means} (${amount.full} ${unit})`).join('\n')}`

const size = chosenSize()
const seed = values.seed === undefined ? freshSeed() : Number(values.seed)
const unknown = positionals.filter((name) => !proofs.some((proof) => proof.name === name))
if (values.help || unknown.length > 0 || size === null || !Number.isSafeInteger(seed)) {
  console.error(unknown.length > 0 ? `No proof is called ${unknown.join(', ')}.\n\n${usage}` : usage)
  process.exit(values.help ? 0 : 2)
}

for (const proof of proofs.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const report = await prove(proof, size)
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
      note: (text) => values.json || say(text),
      breach: (text) => say(`BREACH ${proof.name}: ${text}`),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
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
