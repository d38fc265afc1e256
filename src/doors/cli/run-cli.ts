import { setTimeout as wait } from 'node:timers/promises'
import { Command as Commander, CommanderError } from 'commander'
import type { Rindle } from '../../rindle.ts'
import { version } from '../../version.ts'
import type { Command, Report } from './command.ts'
import { commands } from './commands/index.ts'
import type { CliConfig } from './config.ts'
import { exitCodeMeanings, exitCodeOf, exitCodeOfReport, exitCodes } from './exit-code.ts'
import { errorOf, messageOf, seeHelp } from './failure.ts'
import { findApp } from './find-app.ts'

const goodbyeMs = 1_000

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
    .showHelpAfterError('See `rindle --help`.')
    .addHelpText('after', `\nExit codes:\n${listed(exitCodeMeanings.map(([number, means]) => ({ name: String(number), means })))}`)
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
  const sub = program.command(command.name).description(command.summary).exitOverride().showHelpAfterError(seeHelp(command))
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
  const apps: Rindle[] = []
  const lines = (all: readonly string[]): void => out(all.map((line) => `${line}\n`).join(''))
  try {
    const file = flags['app']
    const report = await command.run({
      flags,
      argument,
      signal,
      async app() {
        const rindle = await findApp(config, typeof file === 'string' ? file : null)
        apps.push(rindle)
        return rindle
      },
      print: (some) => json || lines(some),
      say: (line) => json || err(`${line}\n`),
    })
    const { lines: _, ...forPrograms } = report
    if (json) out(`${JSON.stringify({ command: command.name, ...forPrograms })}\n`)
    else if (report.text === undefined) lines(linesOf(report))
    else out(report.text)
    return exitCodeOfReport(report)
  } catch (problem) {
    if (json) out(`${JSON.stringify({ command: command.name, ok: false, error: errorOf(command, problem) })}\n`)
    else err(`rindle ${command.name}: ${messageOf(command, problem)}\n`)
    return exitCodeOf(problem)
  } finally {
    const closing = Promise.all(apps.map((rindle) => rindle.close())).catch((problem: unknown) =>
      err(`rindle ${command.name}: ${messageOf(command, problem)}\n`),
    )
    // Who was told to stop reading has nothing to end, and a database that does not answer must not keep it.
    await Promise.race([closing, ...(signal.aborted && command.effect === 'reads' ? [wait(goodbyeMs)] : [])])
  }
}

const linesOf = ({ summary, rows, lines = rows.map((row) => Object.values(row).join('  ')) }: Report): string[] => [...lines, summary]
