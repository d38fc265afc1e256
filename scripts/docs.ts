import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readRecord, withTable } from '../prove/record.ts'
import { proofs } from '../prove/table.ts'
import { assetMachine } from '../src/core/asset.ts'
import { errorCatalog } from '../src/core/errors.ts'
import { eventCatalog } from '../src/core/events.ts'
import { type Invariant, invariants } from '../src/core/invariants.ts'
import { jobCatalog } from '../src/core/jobs.ts'
import type { Machine } from '../src/core/machine.ts'
import { operatorCures } from '../src/core/operator-cures.ts'
import { objectMachine } from '../src/core/object.ts'
import { runMachine } from '../src/core/run.ts'
import { uploadSessionMachine } from '../src/core/upload-session.ts'
import { lookSeconds, reconcileAfterSeconds, strayLimit, strayUnmanagedAfterSeconds } from '../src/core/schedule.ts'
import { variantMachine } from '../src/core/variant.ts'
import { commands } from '../src/doors/cli/commands/index.ts'
import { exitCodeMeanings } from '../src/doors/cli/exit-code.ts'
import { routes } from '../src/wire/routes.ts'

/** Prints docs/reference from the tables of the code, and the README's table of proofs; with --check only says whether what is printed there is true. */
const pages: Readonly<Record<string, () => string>> = {
  errors: errorsPage,
  states: statesPage,
  jobs: jobsPage,
  http: httpPage,
  events: eventsPage,
  commands: commandsPage,
  invariants: invariantsPage,
}

function errorsPage(): string {
  const rows = Object.entries(errorCatalog).map(([code, { status, retryable, message }]) => {
    const words = (message as (details: unknown) => string)(placeholders).replaceAll('\n', ' ').replaceAll('|', '\\|')
    return `| \`${code}\` | ${status} | ${retryable ? 'yes' : ''} | ${words} |`
  })
  const cures = Object.keys(errorCatalog).flatMap((code) => {
    const cure = operatorCures[code]
    return cure === undefined ? [] : [`| \`${code}\` | ${cure} |`]
  })
  return `# Errors

Everything this library throws on purpose is a \`RindleError\`. Branch on \`code\`, never on the message; \`switch (err.code)\` narrows
\`err.details\`. The status is what the http door answers with; *retryable* means that the same call may succeed later although the
caller changes nothing. Codes that are verdicts of the gate stand on the asset (\`asset.error\`) and are thrown by \`settled\` alone.

| Code | Status | Retryable | Message |
|---|---|---|---|
${rows.join('\n')}

## What an operator does

About codes that stand on assets, variants or runs; \`rindle quarantine\` lists what is held back, and why.

| Code | What to do |
|---|---|
${cures.join('\n')}
`
}

function invariantsPage(): string {
  const all: readonly (readonly [string, Invariant])[] = Object.entries(invariants)
  const reads = { rows: 'rows', storage: 'listing and HEAD', bytes: 'bytes' } as const
  return `# Invariants

What is so of every row and every object at any instant, whatever failed before. \`rindle doctor --invariants\` asks; the
[operations guide](../guides/operations.md) says what that costs.

| Invariant | What is so | Reads |
|---|---|---|
${all.map(([name, { means, reads: read, holds }]) => `| \`${name}\` | ${means}${holds === 'quiet' ? ' With `--at-rest` only.' : ''} | ${reads[read]} |`).join('\n')}

| Broken | What to do |
|---|---|
${all.map(([name, { cure }]) => `| \`${name}\` | ${cure} |`).join('\n')}
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

## What workers do besides

Sweeping, publishing and reconciling are each done by one worker of a database at a time, under a lease. Another takes over when that one is gone.

| Loop | How often | Does |
|---|---|---|
| look | every ${lookSeconds} seconds, every worker | Compares the clocks of database and machine; the one that sweeps gives back, expires, deletes or wakes again what is due. |
| event | twice a second | Publishes what the history has to say. |
| reconcile | once a day, first ${reconcileAfterSeconds / 60} minutes after a worker starts | Holds what every store lists against the rows. |

### Storage held against the rows

A row is written before any byte, so storage normally holds nothing that no row answers for. The exception is a process that was held up for hours
between its decision and its request: what it sends comes back after it was deleted. Such things are found by listing, in every store that the app
names, below \`staging/\`, \`sealed/\` and \`variants/\`, and are taken away when they are older than a day:

- objects whose row this very database deleted and forgot. Its history says so, and goes back thirty days.
- uploads in parts of such objects, and of those that have a row, unless an open session names them.
- uploads in parts below \`unmanaged/\` that are older than ${strayUnmanagedAfterSeconds / 86_400} days. Objects there are never touched.

**Nothing is deleted that this database has not deleted before.** What neither a row nor the history knows was made by somebody else: by another
database over the same bucket and prefix, or since the dump that this one was restored from. It is left alone, however little or much it is, and
\`reconcile_foreign\` is logged as an error, once a day and store, with its number (\`foreign\`) and up to ten keys (\`examples\`). Give every environment
a prefix of its own. After a restore these are the files that users sent since the dump: keep them for as long as a later dump may bring their rows
back, then delete them by hand. The same goes for what came back only after the history of it was forgotten.

- The clocks are doubted: nothing is touched until an hour after.
- At most ${strayLimit.toLocaleString('en')} objects and as many uploads of a store go at one time; the rest a day later.
- Every key is logged before it goes, a hundred a line: \`strays_taken\`, a warning, with \`what\` and \`keys\`. Of what cannot be taken away the first
  reason is logged, \`stray_kept\`; it is found again a day later.
- What cannot be listed to its end is looked at as far as it goes, and named in \`reconcile_failed\`.
- The database goes away in the middle: \`reconcile_broken_off\`, and again in an hour.

Each time one line is logged for each store, \`storage_reconciled\`, with \`listed\`, \`unknown\`, \`foreign\`, \`deleted\`, \`aborted\`, \`left\` and
\`unread\`: as a warning when anything was taken away, or should have been.
`
}

function httpPage(): string {
  return `# The http door

\`createHandler(rindle, { identify, authorize, origins, basePath })\` from \`rindle/http\` is a \`(Request) => Promise<Response>\`. Addresses are
below the place where it is mounted. Before every route but ticketed ones, \`authorize({ actor, action, subject })\` is asked; the subject is
\`{ profile }\`, \`{ session }\` or \`{ asset }\`, and only \`true\` is a yes. An actor that is \`{ type, id }\` opens uploads as that owner. Bodies
of POST are \`application/json\`; send \`{}\` where there is nothing to say.

| Method | Address | Asks for | Does |
|---|---|---|---|
${Object.values(routes)
  .map(
    ({ method, path, action, means }) =>
      `| ${method} | \`${path}\` | ${action === 'ticket' ? 'nothing: the address is the permission' : `\`${action}\``} | ${means} |`,
  )
  .join('\n')}

\`POST /uploads\` answers 201 \`{ session }\`, \`sign\` \`{ session, presigned }\`, \`verify\` \`{ session, asset }\`, \`DELETE\` \`{ session }\`; \`GET /assets/:id\` the
asset itself. \`POST /uploads\` with \`"multipart": true\` (and, where it matters, \`partBytes\`) answers \`{ session, multipart: { partBytes, partCount } }\`: every
part has \`partBytes\` but the last, which has what is left. \`complete\` answers as \`verify\` does, or says which parts are missing; it needs no list
of parts, so that the bucket need not expose ETags, and checks one that is given: \`{ parts: [{ partNumber, etag }] }\`. A PUT to storage that is
answered 412 has landed before: verify the upload. Refusals are \`{ error: { code, message, details, retryable } }\`. \`GET /assets/:id\` has addresses only where \`asset.deliver\` is a yes as well.

Mount it before anything that reads bodies, such as \`express.json()\`: a body that was read before is \`body_consumed\`.
`
}

function eventsPage(): string {
  const rows = Object.entries(eventCatalog).flatMap(([entity, moves]) =>
    Object.entries(moves).map(([move, { name, means }]) => `| \`${entity}.${name}\` | ${move} | ${means} |`),
  )
  return `# Events

Facts, read from the history after their commit by one worker of all, in order. Subscribe with \`node:diagnostics_channel\` in a process
that runs a worker: every event goes out on \`rindle:event\` and on the channel of its own name, such as \`rindle:asset.ready\`. Each at least
once, normally within a second of the commit, never before older writing transactions of the whole cluster have ended. \`id\` is the same when one is
sent a second time, which only happens after a crash in between.

\`\`\`ts
import { subscribe } from 'node:diagnostics_channel'

subscribe('rindle:asset.ready', (event) => console.log(event.id, event.assetId, event.at))
\`\`\`

An event is \`{ id, name, at, entity, entityId, assetId, from, to, actor, reason }\`, that of an encode's progress also \`progress\`, 0 to 100. It comes from no
history, and only where the encode runs.

| Event | Move | Says |
|---|---|---|
${rows.join('\n')}
`
}

function commandsPage(): string {
  const always = [
    '| `--app FILE` | The file that exports `rindle`. Default: `rindle.app` in package.json, else rindle.config.ts or rindle.config.js. |',
    '| `--json` | Print one JSON object for programs. |',
  ]
  const section = ({
    name,
    summary,
    argument,
    flags,
    looksAt,
  }: (typeof commands)[number]): string => `## rindle ${name}${argument ? ` ${argument.name}` : ''}

${summary}

| Flag | |
|---|---|
${[...(argument ? [`| ${argument.name} | ${argument.help} |`] : []), ...Object.entries(flags).map(([flag, { help, value }]) => `| \`--${flag}${value === undefined ? '' : ` ${value}`}\` | ${help} |`), ...always].join('\n')}
${looksAt ? `\n| Check | |\n|---|---|\n${looksAt.map((one) => `| \`${one.name}\` | ${one.means} |`).join('\n')}\n` : ''}`
  return `# Commands

${commands.map(section).join('\n')}
## Exit codes

| Code | |
|---|---|
${exitCodeMeanings.map(([code, means]) => `| ${code} | ${means} |`).join('\n')}
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

const root = fileURLToPath(new URL('..', import.meta.url))
mkdirSync(join(root, 'docs/reference'), { recursive: true })
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const printed = [
  ...Object.entries(pages).map(([name, print]) => ({ file: `docs/reference/${name}.md`, text: print() })),
  { file: 'README.md', text: withTable(readme, proofs, readRecord()) },
]
const stale: string[] = []
for (const { file, text } of printed) {
  const path = join(root, file)
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) stale.push(file)
}
if (stale.length > 0) {
  console.error(`${stale.join(', ')}: no longer what the code and PROOF.json say. npm run docs`)
  process.exitCode = 1
}
