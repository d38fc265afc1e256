import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type TestCase = { file: string; name: string; passed: boolean; skipped: boolean; todo: boolean; ms: number; error?: string }

export type FileOptions = {
  /** How many files run side by side, each in a process of its own. */
  concurrency: number
  /** After this long a file is killed with all its children, and counts as failed. */
  timeoutSeconds: number
  env?: Readonly<Record<string, string>>
  /** Told as each file ends. */
  ended?: (file: string, cases: readonly TestCase[], ms: number) => void
}

const root = new URL('..', import.meta.url).pathname
const reporter = join(root, 'scripts/test-reporter.mjs')
const living = new Set<ChildProcess>()

/** Every file's TMPDIR is in here, so that what a killed one leaves behind goes with the run. */
let runFolder: string | null = null

process.once('exit', () => {
  living.forEach(killGroup)
  if (runFolder !== null) rmSync(runFolder, { recursive: true, force: true, maxRetries: 5 })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

/** Runs test files and gives every case of them. A file that hangs, dies or holds no case is a failed case of its own. */
export async function runTestFiles(files: readonly string[], options: FileOptions): Promise<TestCase[]> {
  const waiting = [...files]
  const cases: TestCase[] = []
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const started = performance.now()
      const found = await runTestFile(file, options)
      cases.push(...found)
      options.ended?.(file, found, Math.round(performance.now() - started))
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, work))
  return cases
}

async function runTestFile(file: string, options: FileOptions): Promise<TestCase[]> {
  const folder = freshFolder()
  const results = join(folder, 'results')
  const flags = ['--conditions=rindle-source', `--test-reporter=${reporter}`, `--test-reporter-destination=${results}`]
  const env = { ...process.env, ...options.env, TMPDIR: folder }
  const child = spawn(process.execPath, [...flags, join(root, file)], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  living.add(child)
  let said = ''
  const listen = (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000))
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)

  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(child)
  }, options.timeoutSeconds * 1000)
  const [code, signal] = await once(child, 'exit')
  clearTimeout(timer)
  living.delete(child)
  killGroup(child)

  const cases = readCases(results).map((found) => ({ ...found, file }))
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  const failed = (error: string): TestCase => ({
    file,
    name: file,
    passed: false,
    skipped: false,
    todo: false,
    ms: 0,
    error: `${error}\n${said}`,
  })
  if (timedOut) return [...cases, failed(`did not end within ${options.timeoutSeconds} s`)]
  if (code !== 0 && cases.every(({ passed }) => passed)) return [...cases, failed(`ended with ${signal ?? `exit code ${code}`}`)]
  if (cases.length === 0) return [failed('holds no test case')]
  return cases
}

/** Open to the user that a PostgreSQL started by root runs as. */
function freshFolder(): string {
  if (runFolder === null) {
    runFolder = mkdtempSync(join(tmpdir(), 'rindle-test-'))
    chmodSync(runFolder, 0o755)
  }
  const folder = mkdtempSync(join(runFolder, 'file-'))
  chmodSync(folder, 0o755)
  return folder
}

function readCases(path: string): Omit<TestCase, 'file'>[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.filter((line) => line.endsWith('}')).map((line): Omit<TestCase, 'file'> => JSON.parse(line))
  } catch {
    return []
  }
}

/** A test's children are in its process group, save those that detached themselves. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The whole group has ended already.
  }
}
