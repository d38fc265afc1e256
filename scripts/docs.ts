import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { assetMachine } from '../src/core/asset.ts'
import { errorCatalog } from '../src/core/errors.ts'
import { jobCatalog } from '../src/core/jobs.ts'
import type { Machine } from '../src/core/machine.ts'
import { objectMachine } from '../src/core/object.ts'
import { runMachine } from '../src/core/run.ts'
import { uploadSessionMachine } from '../src/core/upload-session.ts'
import { variantMachine } from '../src/core/variant.ts'

/** Prints docs/reference from the tables of the code; with --check only says whether what is printed there is true. */
const pages: Readonly<Record<string, () => string>> = { errors: errorsPage, states: statesPage, jobs: jobsPage }

function errorsPage(): string {
  const rows = Object.entries(errorCatalog).map(([code, { status, retryable, message }]) => {
    const words = (message as (details: unknown) => string)(placeholders).replaceAll('\n', ' ').replaceAll('|', '\\|')
    return `| \`${code}\` | ${status} | ${retryable ? 'yes' : ''} | ${words} |`
  })
  return `# Errors

Everything this library throws on purpose is a \`RindleError\`. Branch on \`code\`, never on the message; \`switch (err.code)\` narrows
\`err.details\`. The status is what the http door answers with; *retryable* means that the same call may succeed later although the
caller changes nothing. Codes that are verdicts of the gate stand on the asset (\`asset.error\`) and are thrown by \`settled\` alone.

| Code | Status | Retryable | Message |
|---|---|---|---|
${rows.join('\n')}
`
}

function statesPage(): string {
  const machines: readonly Machine[] = [assetMachine, variantMachine, uploadSessionMachine, objectMachine, runMachine]
  const section = (machine: Machine): string => `## ${machine.entity}

Table \`rindle.${machine.table}\`. A row is born ${machine.initial}.

| State | Meaning | When its time is up |
|---|---|---|
${Object.entries(machine.states)
  .map(([state, { means, owed, passing }]) => `| ${state} | ${means} | ${owed ? owed.cure : passing ? 'never rests here' : ''} |`)
  .join('\n')}

| Move | From | To | When |
|---|---|---|---|
${Object.entries(machine.moves)
  .map(([move, { from, to, when }]) => `| ${move} | ${from.join(', ')} | ${to} | ${when} |`)
  .join('\n')}
`
  return `# States and moves

Every lifecycle is a table in the code; the CHECK constraints in the database, the sweep and this page are read off it. A state with
something under *when its time is up* always carries \`due_at\`.

${machines.map(section).join('\n')}`
}

function jobsPage(): string {
  return `# Jobs

A job only wakes the worker: the row it names is the promise, and losing a job loses nothing but time.

| Job | Names | Does |
|---|---|---|
${Object.entries(jobCatalog)
  .map(([name, { subject, means }]) => `| \`${name}\` | ${subject} | ${means} |`)
  .join('\n')}
`
}

/** Stands for the details of any error: each property prints as its own name. */
const placeholders: unknown = new Proxy(
  {},
  {
    get: (_target, name) => {
      const text = `‹${String(name)}›`
      return Object.assign(new String(text), { map: () => [text], join: () => text })
    },
  },
)

mkdirSync(new URL('../docs/reference/', import.meta.url), { recursive: true })
const stale: string[] = []
for (const [name, print] of Object.entries(pages)) {
  const path = fileURLToPath(new URL(`../docs/reference/${name}.md`, import.meta.url))
  const text = print()
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) stale.push(name)
}
if (stale.length > 0) {
  console.error(`docs/reference/${stale.join(', ')} no longer says what the code says: npm run docs`)
  process.exitCode = 1
}
