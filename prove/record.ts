import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Proof, ProofReport, ProofSize } from './harness.ts'

/** What one run of a proof gave, as PROOF.json keeps it. */
export type ProofEntry = {
  readonly size: Exclude<ProofSize, 'ci'>
  readonly runs: number
  readonly violations: number
  readonly seconds: number
  readonly seed: number
  /** What was checked out, to the letter. */
  readonly commit: string
  /** The day it was run on, UTC. */
  readonly day: string
  readonly node: string
  readonly cpus: number
  readonly figures: Readonly<Record<string, string | number | boolean>>
}

/** By the name of the proof. */
export type ProofRecord = Readonly<Record<string, ProofEntry>>

const root = fileURLToPath(new URL('..', import.meta.url))
const places = { record: `${root}PROOF.json`, readme: `${root}README.md` }

export const readRecord = (): ProofRecord => (existsSync(places.record) ? JSON.parse(readFileSync(places.record, 'utf8')) : {})

/**
 * Writes what a run gave to PROOF.json, and the README's table anew: only of source that can be checked out again. A smaller run that held
 * takes nothing from what a larger one had shown; one that found a breach does.
 *
 * @returns whether it was kept.
 */
export const keep = (proofs: readonly Proof[], report: ProofReport, size: Exclude<ProofSize, 'ci'>): boolean => {
  const known = readRecord()
  const commit = checkedOut()
  if (commit === null || (report.ok && known[report.proof]?.size === 'full' && size === 'tenth')) return false
  const record = { ...known, [report.proof]: entryOf(report, size, commit) }
  const sorted = Object.fromEntries(Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1)))
  writeFileSync(places.record, `${JSON.stringify(sorted, null, 2)}\n`)
  writeFileSync(places.readme, withTable(readFileSync(places.readme, 'utf8'), proofs, sorted))
  return true
}

const entryOf = (
  { proof: _, seed, runs, violations, ms, ok: __, ...figures }: ProofReport,
  size: ProofEntry['size'],
  commit: string,
): ProofEntry => ({
  ...{ size, runs, violations, seconds: Math.round(ms / 1000), seed, commit },
  ...{ day: new Date().toISOString().slice(0, 10), node: process.versions.node, cpus: availableParallelism(), figures },
})

/** Null where files differ from it, or there is no history. */
const checkedOut = (): string | null => {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('status', '--porcelain', '--', 'src', 'prove', 'test', 'package.json') === '' ? git('rev-parse', '--short=10', 'HEAD') : null
  } catch {
    return null
  }
}

const [begin, end] = ['<!-- proofs: printed from PROOF.json by npm run docs -->', '<!-- end of proofs -->']

/** The text with the table of proofs between its two marks. @throws where the marks are not there. */
export const withTable = (text: string, proofs: readonly Proof[], record: ProofRecord): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`README.md has lost its marks for the table of proofs: ${begin} and ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${tableOf(proofs, record)}\n\n${text.slice(to)}`
}

const tableOf = (proofs: readonly Proof[], record: ProofRecord): string =>
  ['| `npm run prove --` | Promise | Last full run |', '|---|---|---|', ...proofs.map((proof) => rowOf(proof, record[proof.name]))].join(
    '\n',
  )

const rowOf = ({ name, means, unit, shows = {} }: Proof, entry: ProofEntry | undefined): string => {
  const promise = `${means.charAt(0).toUpperCase()}${means.slice(1)}`
  if (!entry) return `| \`${name}\` | ${promise} | none on record |`
  const { runs, violations, seconds, figures, size, day, commit } = entry
  const told = Object.entries(shows).flatMap(([figure, words]) =>
    figures[figure] === undefined ? [] : [`${spoken(figures[figure])} ${words}`],
  )
  const shown = [`${spoken(runs)} ${unit}`, ...told, `${spoken(violations)} violations`, `${spoken(seconds)} s`].join(', ')
  const broken = violations > 0 || runs === 0 ? '**BROKEN**: ' : ''
  return `| \`${name}\` | ${promise} | ${broken}${size === 'tenth' ? 'a tenth: ' : ''}${shown} (${day}, ${commit}) |`
}

const spoken = (value: string | number | boolean): string => (typeof value === 'number' ? value.toLocaleString('en') : String(value))
