import type { Rindle } from '../../rindle.ts'

/** What a command found or did. The printer turns it into lines or, with --json, prints it as it is. */
export interface Report {
  /** False makes the exit code 1. */
  readonly ok: boolean
  /** Told to end before it was through: what it has is printed, and the exit code says that it may be run again. */
  readonly stopped?: boolean
  readonly summary: string
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** How the rows are shown to people; their values in a line each when absent. */
  readonly lines?: readonly string[]
  /** Printed as it is, instead of summary and rows: a script for another program. */
  readonly text?: string
}

export interface Flag {
  readonly help: string
  /** What stands for the value in the help; a flag without one is either there or not. */
  readonly value?: string
}

export type Flags = Readonly<Record<string, string | boolean | undefined>>

interface Invocation {
  readonly flags: Flags
  /** What was given for `argument`; empty for a command that has none. */
  readonly argument: string
  /** Finds and loads the app, which is closed once the command's report is printed. @throws RindleError `app_not_found` */
  app(): Promise<Rindle>
  /** Prints lines of the report before its end: they are not to be in it again. Nothing with --json. */
  print(lines: readonly string[]): void
  /** Says something meanwhile: a line for people, nothing with --json. */
  say(line: string): void
  /** Aborts when the process is asked to end. A second time it does not ask. */
  readonly signal: AbortSignal
}

/** One subcommand, as data. Parsing, help, --json and exit codes come from the record. */
export interface Command {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  readonly effect: 'reads' | 'changes'
  /** The one thing that it is about, where it is about one: it must be given. */
  readonly argument?: { readonly name: string; readonly help: string }
  /** What it goes through, for the help. */
  readonly looksAt?: readonly { readonly name: string; readonly means: string }[]
  /** What leads on from a refusal. */
  readonly whenRefused?: string
  /** By their long names, without the dashes. */
  readonly flags: Readonly<Record<string, Flag>>
  run(invocation: Invocation): Promise<Report>
}
