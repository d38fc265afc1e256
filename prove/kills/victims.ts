import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findPlace } from '../../src/adapters/storage/local/paths.ts'
import type { EngineDatabase } from '../../test/services/engines.ts'
import type { ProofContext } from '../harness.ts'
import type { Scene } from './scene.ts'

/** A test has no time to wait for a real lease. */
export const leaseOf = ({ size }: ProofContext): number => (size === 'ci' ? 3 : 10)
export const lookSeconds = 5
/** What two busy cores may add to the promise before it counts as broken. */
const graceSeconds = 1

export type Row = Readonly<Record<string, unknown>>
export type Query = (text: string) => Promise<readonly Row[]>

export const sceneIn = (proof: ProofContext, name: string): Scene => {
  const folder = join(proof.folder, name)
  const scene = { directory: join(folder, 'objects'), scratchFolder: join(folder, 'scratch'), leaseSeconds: leaseOf(proof) }
  mkdirSync(scene.directory, { recursive: true })
  mkdirSync(scene.scratchFolder, { recursive: true })
  return scene
}

/** Starts a process of the proof and waits until it works. */
export async function start(script: string, task: object, proof: ProofContext): Promise<ChildProcess> {
  const child = fork(new URL(`./${script}`, import.meta.url), [JSON.stringify(task)], { execArgv: ['--conditions=rindle-source'] })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${script} ended with ${signal ?? code}`)
  })
  ended.catch(() => undefined)
  await Promise.race([ended, once(child, 'message', { signal: proof.signal })])
  return child
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

export const unsettled = `select a.state,
    coalesce((select string_agg(coalesce(r.error_code, r.state), ', ' order by r.started_at) from rindle.media_processing_runs r where r.asset_id = a.id), '') as attempts
  from rindle.media_assets a
  where a.state <> 'ready' or exists (select from rindle.media_processing_runs r where r.asset_id = a.id and r.state = 'processing')`

/** @param seconds what the work itself may take. */
export async function untilDone(proof: ProofContext, query: Query, seconds = 30): Promise<void> {
  const limitMs = (leaseOf(proof) + lookSeconds + seconds) * 1000
  for (const began = performance.now(); performance.now() - began < limitMs && !proof.signal.aborted;) {
    if ((await query(unsettled)).length === 0) return
    await pause(50)
  }
  for (const { state, attempts } of await query(unsettled))
    proof.breach(`an asset is ${String(state)}, not ready, ${limitMs / 1000} s after the kill; attempts: ${String(attempts)}`)
}

/** From the kill to the next attempt, or to the readiness that the killed worker had reached without saying so. */
export async function takeoverSeconds(proof: ProofContext, database: EngineDatabase, assetId: string, killedAt: Date): Promise<number> {
  const [row] = await database.query(
    `select extract(epoch from min(started_at) - $2::timestamptz)::float8 as seconds
       from rindle.media_processing_runs where asset_id = $1 and started_at > $2::timestamptz`,
    [assetId, killedAt],
  )
  const seconds = row?.['seconds'] === null || row?.['seconds'] === undefined ? Infinity : Math.round(Number(row['seconds']) * 100) / 100
  if (seconds > leaseOf(proof) + lookSeconds + graceSeconds) proof.breach(`a killed worker's file was taken over after ${seconds} s`)
  return seconds
}

/** Every file has a row, every row that says so has its file, and no row still waits for a dead writer. */
export async function check(proof: ProofContext, query: Query, { directory }: Scene): Promise<void> {
  const rows = await query('select key, state from rindle.media_objects')
  const known = new Set<string>()
  const unfinished: string[] = []
  const files = filesIn(directory)
  for (const { key, state } of rows) {
    const place = await findPlace(directory, String(key))
    if (place) {
      known.add(place.path)
      unfinished.push(`${place.unfinished}/`)
    }
    if (state === 'present' && !(place && files.has(place.path))) proof.breach(`the ${String(key)} that a row calls present is not there`)
    if (state === 'reserved') proof.breach(`${String(key)} is still reserved although nobody writes it`)
  }
  for (const file of files) {
    const isKnown = known.has(file) || unfinished.some((folder) => file.startsWith(folder))
    // One that was deleted since the files were listed had its row when rows were.
    if (!isKnown && existsSync(file)) proof.breach(`${file} has no row`)
  }
}

const filesIn = (folder: string): Set<string> =>
  new Set(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
