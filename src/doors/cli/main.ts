#!/usr/bin/env node
import { readConfig } from './config.ts'
import { runCli } from './run-cli.ts'

const aborter = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => aborter.abort())

// Who reads no further, such as head, is no reason to break off.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const streams = {
  out: (text: string) => void process.stdout.write(text),
  err: (text: string) => void process.stderr.write(text),
}
const code = await runCli(process.argv.slice(2), readConfig(), streams, aborter.signal)
// The app that was loaded may keep the process alive; what was printed must still go out.
process.exitCode = code
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)))
