import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bench, type BenchReport, type ComparisonResult, createRandom, runBench } from './harness.ts'
import { benches } from './table.ts'

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  allowPositionals: true,
})

const usage = `npm run bench -- NAME [--json]\n\n${benches.map(({ name, means }) => `  ${name.padEnd(12)} ${means}`).join('\n')}`
const chosen = positionals.map((name) => benches.find((bench) => bench.name === name) ?? name)
const unknown = chosen.filter((bench) => typeof bench === 'string')

if (values.help || chosen.length === 0 || unknown.length > 0) {
  console.error(unknown.length > 0 ? `No benchmark is called ${unknown.join(', ')}.\n\n${usage}` : usage)
  process.exit(values.help ? 0 : 2)
}

for (const bench of chosen) {
  if (typeof bench === 'string') continue
  const { results, medians } = await measure(bench)
  if (values.json) for (const result of results) console.log(JSON.stringify(result))
  else print(bench, results, medians)
  if (results.some(({ ok }) => !ok)) process.exitCode = 1
}

async function measure(bench: Bench): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), `rindle-bench-${bench.name}-`))
  try {
    const note = (text: string) => values.json || console.log(`  ${text}`)
    return await runBench(bench, { random: createRandom(1), folder, note: (text) => void note(text) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function print(bench: Bench, results: readonly ComparisonResult[], medians: BenchReport['medians']): void {
  console.log(`\n${bench.name}: ${bench.means}\n\nMedians of ${bench.rounds} rounds`)
  for (const [side, metrics] of Object.entries(medians)) {
    const figures = Object.entries(metrics).map(([metric, value]) => `${metric} ${Number(value.toPrecision(4))}`)
    console.log(`  ${side.padEnd(24)} ${figures.join('   ')}`)
  }
  console.log(
    `\n  ${'metric'.padEnd(24)}${'ours / reference'.padEnd(28)}${'min'.padStart(9)}${'median'.padStart(9)}${'max'.padStart(9)}   goal`,
  )
  for (const { metric, reference, ratio, goal, ok } of results) {
    const ratios = [ratio.min, ratio.median, ratio.max].map((value) => String(value).padStart(9)).join('')
    const verdict = goal === null ? '–' : `${goal} ${ok ? 'kept' : 'MISSED'}`
    console.log(`  ${metric.padEnd(24)}${reference.padEnd(28)}${ratios}   ${verdict}`)
  }
}
