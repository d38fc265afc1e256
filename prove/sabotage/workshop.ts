import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasPostgres } from '../../test/services/postgres.ts'
import { brokenBy, type Sabotage } from './sabotage.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const parts = ['src', 'prove', 'test', 'scripts', 'bench', 'examples', 'docs', 'package.json', 'tsconfig.json', 'README.md'] as const
const patienceMs = 240_000
/** What is broken may hang, and need not be waited for. */
const caseMs = 60_000
const said = 4_000

/** What running a test or a proof gave. */
export interface Colour {
  readonly red: boolean
  /** The end of what it printed. */
  readonly output: string
}

/** A copy of the project in which the source may be broken. */
export interface Workshop {
  /** Runs what is to turn red, on the source as it stands there. */
  run(red: Sabotage['red'], signal: AbortSignal): Promise<Colour>
  /** Breaks the source, runs, and puts it right again. @throws where the text to be broken is not there, or more than once. */
  sabotage(sabotage: Sabotage, signal: AbortSignal): Promise<Colour>
}

/** Makes the copy in an empty folder; packages are those of the project itself. */
export const openWorkshop = (folder: string): Workshop => {
  mkdirSync(folder, { recursive: true })
  for (const part of parts) {
    cpSync(join(root, part), join(folder, part), { recursive: true, filter: (from) => !/\/(\.data|dist|\.cache)(\/|$)/.test(from) })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const run: Workshop['run'] = (red, signal) => execute(folder, argumentsOf(red), signal)
  return {
    run,
    async sabotage(sabotage, signal) {
      const whole = new Map<string, string>()
      const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8')
      const broken = brokenBy(sabotage, textOf)
      try {
        for (const [file, text] of broken) {
          whole.set(file, textOf(file))
          writeFileSync(join(folder, file), text)
        }
        return await run(sabotage.red, signal)
      } finally {
        for (const [file, text] of whole) writeFileSync(join(folder, file), text)
      }
    },
  }
}

const argumentsOf = (red: Sabotage['red']): string[] =>
  'proof' in red
    ? ['prove/main.ts', red.proof, '--size', 'ci', '--seed', '1']
    : [
        '--test',
        '--test-force-exit',
        `--test-timeout=${caseMs}`,
        ...(red.title === undefined ? [] : [`--test-name-pattern=${escaped(red.title)}`]),
        red.test,
      ]

/** A title as a pattern that finds it. */
const escaped = (title: string): string => title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

const execute = async (folder: string, args: readonly string[], signal: AbortSignal): Promise<Colour> => {
  const child = spawn(process.execPath, ['--conditions=rindle-source', ...args], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, RINDLE_TEST_ENGINES: hasPostgres() ? 'postgres' : 'pglite' },
  })
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }
  const timer = setTimeout(end, patienceMs)
  signal.addEventListener('abort', end, { once: true })
  let output = ''
  const listen = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-said))
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
  // No case at all would be green whatever was broken.
  const ranNothing = args[0] === '--test' && /^ℹ pass 0$/m.test(output) && code === 0
  return { red: code !== 0 || ranNothing, output: ranNothing ? `no case ran\n${output}` : output }
}
