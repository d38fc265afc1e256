import { Command as Commander, CommanderError } from 'commander'
import { isRindleError } from '../../core/errors.ts'
import { version } from '../../version.ts'
import type { Command, Report } from './command.ts'
import { commands } from './commands/index.ts'
import type { CliConfig } from './config.ts'
import { exitCodeOf, exitCodeOfReport, exitCodes } from './exit-code.ts'
import { findApp } from './find-app.ts'

interface CliStreams {
  out(text: string): void
  err(text: string): void
}

/** Parses the arguments (without node and script), runs one command and prints what it did. @returns the exit code. */
export async function runCli(args: readonly string[], config: CliConfig, streams: CliStreams, signal: AbortSignal): Promise<number> {
  let code: number = exitCodes.ok
  const program = new Commander('rindle')
    .description('Everything after the upload button: verified assets, variants, signed delivery and erasure.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: streams.out, writeErr: streams.err })
    .showSuggestionAfterError()
  for (const command of commands) {
    addCommand(program, command, async (given) => {
      code = await runCommand(command, given, config, streams, signal)
    })
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    throw err
  }
}

type GivenFlags = Readonly<Record<string, string | boolean | undefined>>

interface Given {
  readonly flags: GivenFlags
  readonly argument: string
}

const addCommand = (program: Commander, command: Command, run: (given: Given) => Promise<void>): void => {
  const sub = program.command(command.name).description(command.summary).exitOverride()
  if (command.argument) sub.argument(`<${command.argument.name}>`, command.argument.help)
  for (const [name, { help, value }] of Object.entries(command.flags))
    sub.option(value === undefined ? `--${name}` : `--${name} <${value}>`, help)
  if (command.looksAt) sub.addHelpText('after', `\nLooks at, in this order:\n${listed(command.looksAt)}`)
  sub
    .option('--app <FILE>', 'the file that exports `rindle` (default: rindle.app in package.json, else rindle.config.ts or .js)')
    .option('--json', 'print one JSON object for programs')
    .action(async () => run({ flags: byFlagName(command, sub.opts()), argument: sub.args[0] ?? '' }))
}

const listed = (things: NonNullable<Command['looksAt']>): string => {
  const width = Math.max(...things.map(({ name }) => name.length))
  return things.map(({ name, means }) => `  ${name.padEnd(width)}  ${means}`).join('\n')
}

/** Commander turns dashes into capitals; commands speak of their flags as they are typed. */
const byFlagName = (command: Command, options: GivenFlags): GivenFlags =>
  Object.fromEntries(
    [...Object.keys(command.flags), 'app', 'json'].map((name) => [
      name,
      options[name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())],
    ]),
  )

const runCommand = async (
  command: Command,
  { flags, argument }: Given,
  config: CliConfig,
  { out, err }: CliStreams,
  signal: AbortSignal,
): Promise<number> => {
  const json = flags['json'] === true
  try {
    const file = flags['app']
    const report = await command.run({
      flags,
      argument,
      signal,
      app: () => findApp(config, typeof file === 'string' ? file : null),
      say: (line) => json || err(`${line}\n`),
    })
    const { lines: _, ...forPrograms } = report
    out(json ? `${JSON.stringify({ command: command.name, ...forPrograms })}\n` : linesOf(report))
    return exitCodeOfReport(report)
  } catch (problem) {
    if (json) out(`${JSON.stringify({ command: command.name, ok: false, error: errorOf(problem) })}\n`)
    else err(`rindle ${command.name}: ${messageOf(problem)}\n`)
    return exitCodeOf(problem)
  }
}

const linesOf = ({ summary, rows, lines = rows.map((row) => Object.values(row).join('  ')), text }: Report): string =>
  text ?? `${[...lines, summary].join('\n')}\n`

const errorOf = (problem: unknown): object => {
  if (!isRindleError(problem)) return { code: 'internal_error', message: messageOf(problem), details: {}, retryable: false }
  return problem.toJSON()
}

const messageOf = (problem: unknown): string => {
  if (isRindleError(problem)) return [problem.message, ...reasonsOf(problem.cause)].join('\n  because: ')
  return problem instanceof Error ? (problem.stack ?? problem.message) : String(problem)
}

/** What lies behind a failure, in its own words, the nearest first: what a database or a file system said. */
const reasonsOf = (cause: unknown): string[] => {
  if (!(cause instanceof Error)) return []
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : cause.cause
  return [...(cause.message === '' ? [] : [cause.message]), ...reasonsOf(inner)]
}
