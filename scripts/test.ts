import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { hasPostgres, type PostgresServer, sharedServerVariable, startPostgres } from '../test/services/postgres.ts'
import { type Gateway, hasGateway, sharedGatewayVariable, startGateway } from './gateway.ts'
import { type FileOptions, runTestFiles, type TestCase } from './test-files.ts'

const { values, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
  allowPositionals: true,
})

/** One part of the run. `in` names the shorter runs that it belongs to as well. */
type Stage = { name: string; in: readonly ('check' | 'quick')[]; run(): Promise<TestCase[]> }

const slow = { concurrency: 2, timeoutSeconds: 300 }
const stages: readonly Stage[] = [
  {
    name: 'types',
    in: ['check', 'quick'],
    run: () =>
      command('types', ['node_modules/typescript/bin/tsc', '-p', '.', '--noEmit', '--incremental', '--tsBuildInfoFile', '.cache/types']),
  },
  {
    name: 'format',
    in: ['check', 'quick'],
    run: () =>
      command('format', [
        'node_modules/prettier/bin/prettier.cjs',
        '--check',
        '--log-level=warn',
        '--cache',
        '--cache-location',
        '.cache/format',
        '.',
      ]),
  },
  {
    name: 'architecture',
    in: ['check', 'quick'],
    run: () => files('architecture', 'test/architecture/**/*.test.ts', { concurrency: 2, timeoutSeconds: 60 }),
  },
  {
    name: 'unit',
    in: ['quick'],
    run: () => files('unit', '{src,bench,prove,scripts,examples}/**/*.test.{ts,tsx}', { concurrency: 2, timeoutSeconds: 120 }),
  },
  { name: 'journeys', in: [], run: () => files('journeys', 'test/{journeys,services}/**/*.test.ts', slow) },
  { name: 'browser', in: [], run: () => files('browser', 'test/browser/**/*.test.ts', { ...slow, concurrency: 1 }) },
  { name: 'proofs', in: [], run: proofs },
  { name: 'docs', in: [], run: () => command('docs', ['--conditions=rindle-source', 'scripts/docs.ts', '--check'], 'scripts/docs.ts') },
  { name: 'packed', in: [], run: () => files('packed', 'test/packed/**/*.test.ts', { concurrency: 1, timeoutSeconds: 600 }) },
  { name: 'postgres18', in: [], run: () => files('postgres18', 'test/postgres18/**/*.test.ts', { concurrency: 1, timeoutSeconds: 300 }) },
]

const patterns = positionals.filter((word) => !stages.some(({ name }) => name === word))
const cases: TestCase[] = []
const began = performance.now()
const server = needsServices() && hasPostgres() ? await startSharedServer() : null
const gateway = needsServices() && hasGateway() ? await startSharedGateway() : null
try {
  for (const stage of chosenStages()) cases.push(...(await runStage(stage)))
} finally {
  await Promise.all([server?.stop(), gateway?.stop()])
}
summarise()
process.exit()

/** Words after `--` are names of stages, or parts of file names; without any, everything runs. */
function chosenStages(): readonly Stage[] {
  if (values.check) return stages.filter((stage) => stage.in.includes('check'))
  if (values.quick) return stages.filter((stage) => stage.in.includes('quick'))
  if (positionals.length === 0) return stages
  const ofFiles = (stage: Stage) => !['types', 'format', 'proofs', 'docs'].includes(stage.name)
  return stages.filter((stage) => positionals.includes(stage.name) || (patterns.length > 0 && ofFiles(stage)))
}

async function runStage(stage: Stage): Promise<TestCase[]> {
  const started = performance.now()
  const found = await stage.run()
  if (found.length === 0) return found
  const failed = found.filter(isFailed)
  const skipped = found.filter((test) => test.skipped && !isFailed(test))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const words = [
    `${found.length - failed.length} passed`,
    ...(failed.length ? [`${failed.length} failed`] : []),
    ...(skipped.length ? [`${skipped.length} skipped`] : []),
  ]
  console.log(`${failed.length === 0 ? '✓' : '✗'} ${stage.name.padEnd(14)} ${words.join(', ').padEnd(36)} ${seconds.padStart(6)} s`)
  for (const { file, name, error } of failed)
    console.log(`\n  ✗ ${file} › ${name}\n${indented(error ?? 'skipped, which counts as failed with CI=true')}\n`)
  return found
}

/** With CI=true a case that was left out has failed: a service is missing there, or somebody forgot. */
function isFailed(test: TestCase): boolean {
  return !test.passed || (process.env['CI'] === 'true' && (test.skipped || test.todo))
}

function summarise(): void {
  const failed = cases.filter(isFailed).length
  const passed = cases.filter((test) => !isFailed(test) && !test.skipped).length
  console.log(`\n${((performance.now() - began) / 1000).toFixed(0)} s in all`)
  if (cases.length === 0) console.log(`No test matches ${positionals.join(' ')}`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 || cases.length === 0 ? 1 : 0
}

async function files(stage: string, pattern: string, options: FileOptions): Promise<TestCase[]> {
  const found = globSync(pattern).sort()
  const wanted =
    positionals.includes(stage) || patterns.length === 0 ? found : found.filter((file) => patterns.some((part) => file.includes(part)))
  const slowest: FileOptions['ended'] = (file, tests, ms) => {
    if (values.verbose) for (const test of tests) console.log(`    ${isFailed(test) ? '✗' : '✓'} ${file} › ${test.name} (${test.ms} ms)`)
    else if (ms > 20_000) console.log(`    ${file} took ${(ms / 1000).toFixed(0)} s`)
  }
  return runTestFiles(wanted, { ...options, ended: slowest })
}

/** Runs a check that passes or fails as a whole. Nothing where the file that it needs does not exist. */
async function command(name: string, args: readonly string[], needs?: string): Promise<TestCase[]> {
  if (needs !== undefined && !existsSync(needs)) return []
  const { code, output, ms } = await execute(args)
  return [
    { file: name, name: args.join(' '), passed: code === 0, skipped: false, todo: false, ms, ...(code === 0 ? {} : { error: output }) },
  ]
}

async function proofs(): Promise<TestCase[]> {
  const { code, output, stdout, ms } = await execute([
    '--conditions=rindle-source',
    'prove/main.ts',
    '--size',
    'ci',
    '--seed',
    '1',
    '--json',
  ])
  const reports = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): { proof: string; ok: boolean; ms: number } => JSON.parse(line))
  const found = reports.map(({ proof, ok, ms }): TestCase => ({
    file: 'prove',
    name: proof,
    passed: ok,
    skipped: false,
    todo: false,
    ms,
    ...(ok ? {} : { error: output }),
  }))
  for (const { name, ms } of found)
    if (ms > 20_000) console.log(`    the proof ${name} took ${(ms / 1000).toFixed(0)} s; 20 are what it should take here`)
  if (code === 0 || found.some(isFailed)) return found
  return [...found, { file: 'prove', name: 'main', passed: false, skipped: false, todo: false, ms, error: output }]
}

async function execute(args: readonly string[]): Promise<{ code: number; output: string; stdout: string; ms: number }> {
  const started = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [output, stdout] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    output += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = await once(child, 'close')
  return { code: code ?? 1, output: output.slice(-20_000), stdout, ms: Math.round(performance.now() - started) }
}

function needsServices(): boolean {
  return chosenStages().some(({ name }) => ['journeys', 'browser', 'proofs'].includes(name))
}

/** One PostgreSQL for all test files, each of which has databases of its own in it. */
async function startSharedServer(): Promise<PostgresServer> {
  const started = await startPostgres()
  process.env[sharedServerVariable] = started.url
  return started
}

/** One S3 server for all test files, each of which has buckets of its own in it. */
async function startSharedGateway(): Promise<Gateway> {
  const started = await startGateway()
  process.env[sharedGatewayVariable] = JSON.stringify(started)
  return started
}

function indented(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    ')
}
