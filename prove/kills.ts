import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import sharp from 'sharp'
import { findPlace } from '../src/adapters/storage/local/paths.ts'
import type { EngineDatabase } from '../test/services/engines.ts'
import { descendants, isAlive } from '../test/services/processes.ts'
import { engineNamed } from './database.ts'
import type { Proof, ProofContext, Random } from './harness.ts'
import { openScene, type Scene } from './kills/scene.ts'

/** A test has no time to wait for a real lease. */
const leaseOf = ({ size }: ProofContext): number => (size === 'ci' ? 3 : 10)
const lookSeconds = 5
/** What two busy cores may add to the promise before it counts as broken. */
const graceSeconds = 1
const photosARound = 2

type Row = Readonly<Record<string, unknown>>
type Query = (text: string) => Promise<readonly Row[]>
/** One way of being killed, and all that it needs. */
type Lane = { round(random: Random): Promise<void>; close(): Promise<void> }

/**
 * A process that is killed while it decodes has told nobody. What it held is taken over by another worker, or by the app when it starts
 * again, and what it had begun to write is known to a row. By the real clock: at how many other points they may be killed is shown by `crash`.
 */
export const kills: Proof = {
  name: 'kills',
  means: `a worker or app killed in mid-decode costs no asset, its work is taken over within the lease and ${lookSeconds} s, and no file is left without a row`,
  unit: 'kills',
  amount: { ci: 2, full: 50 },
  shows: { takeovers: 'files taken over', slowestTakeoverSeconds: 's at most after a lease of 10' },
  async run(proof) {
    const photo = join(proof.folder, 'photo.jpg')
    writeFileSync(photo, await makePhoto(proof.random.fork('photo')))
    const takeovers: number[] = []
    const openings = [workersOnPostgres(proof, photo, takeovers), appOnPglite(proof, photo)]
    let runs = 0
    const lanes = openings.map(async (opening, index) => {
      const lane = await opening
      try {
        for (let round = index; round < proof.amount && !proof.signal.aborted; round += openings.length) {
          await lane.round(proof.random.fork(round))
          runs += 1
        }
      } finally {
        await lane.close()
      }
    })
    const failure = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected')
    if (failure) throw failure.reason
    return {
      runs,
      figures: { leaseSeconds: leaseOf(proof), takeovers: takeovers.length, slowestTakeoverSeconds: Math.max(0, ...takeovers) },
    }
  },
}

/** Two workers on one server; the one that is at work is killed, and another is started for the next round. */
async function workersOnPostgres(proof: ProofContext, photo: string, takeovers: number[]): Promise<Lane> {
  const database = await engineNamed('postgres').open()
  const scene = sceneIn(proof, 'postgres')
  const rindle = openScene(database.place, scene)
  const startWorker = () => start('worker.ts', { url: database.place, ...scene }, proof)
  const workers = await Promise.all([startWorker(), startWorker()])

  return {
    async round(random) {
      const uploadSome = async (): Promise<void> => {
        for (let count = 0; count < photosARound; count += 1) await rindle.upload('photo', photo, { filename: `${count}.jpg` })
      }
      const victim = await atWork(proof, database, workers, uploadSome)
      await pause(random.int(150))
      const orphans = descendants(victim.pid)
      await kill(victim)
      const [{ at }] = (await database.query('select clock_timestamp() as at')) as [{ at: Date }]
      const held = await database.query(
        `select asset_id from rindle.media_processing_runs where state = 'processing' and worker like '%:${victim.pid}'`,
      )
      const replacement = startWorker()
      await untilDone(proof, (text) => database.query(text))
      workers[workers.indexOf(victim)] = await replacement
      for (const { asset_id } of held) takeovers.push(await takeoverSeconds(proof, database, String(asset_id), at))
      await check(proof, (text) => database.query(text), scene)
      for (const orphan of orphans) if (isAlive(orphan)) proof.breach(`the decoder ${orphan} outlived its worker`)
      proof.note(`worker ${victim.pid} killed over ${held.length} files, taken over after ${takeovers.slice(-held.length).join(', ')} s`)
    },
    async close() {
      for (const worker of workers) await kill(worker)
      await rindle.close()
      await database.close()
    },
  }
}

/** An app with its worker inside; killed, and started again on the same folder. */
async function appOnPglite(proof: ProofContext, photo: string): Promise<Lane> {
  const database = await engineNamed('pglite').open()
  const scene = sceneIn(proof, 'pglite')
  const startApp = (photos: number) => start('app.ts', { dataDir: database.place, photo, photos, ...scene }, proof)
  let app: ChildProcess | null = null
  return {
    async round(random) {
      if (app) await kill(app)
      app = await startApp(photosARound)
      for (;;) {
        const [message] = await once(app, 'message', { signal: proof.signal })
        if (message === 'decoding') break
        if (message !== 'idle') continue
        await kill(app)
        app = await startApp(photosARound)
      }
      await pause(random.int(150))
      const orphans = descendants(app.pid)
      await kill(app)
      app = await startApp(0)
      const query = asking(app, proof.signal)
      await untilDone(proof, query)
      await check(proof, query, scene)
      for (const orphan of orphans) if (isAlive(orphan)) proof.breach(`the decoder ${orphan} outlived its app`)
      proof.note(`app killed; all its files were ready after the next start`)
    },
    async close() {
      if (app) await kill(app)
      await database.close()
    },
  }
}

const sceneIn = (proof: ProofContext, name: string): Scene => {
  const folder = join(proof.folder, name)
  const scene = { directory: join(folder, 'objects'), scratchFolder: join(folder, 'scratch'), leaseSeconds: leaseOf(proof) }
  mkdirSync(scene.directory, { recursive: true })
  mkdirSync(scene.scratchFolder, { recursive: true })
  return scene
}

/** Starts a process of the proof and waits until it works. */
async function start(script: string, task: object, proof: ProofContext): Promise<ChildProcess> {
  const child = fork(new URL(`./kills/${script}`, import.meta.url), [JSON.stringify(task)], { execArgv: ['--conditions=rindle-source'] })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${script} ended with ${signal ?? code}`)
  })
  ended.catch(() => undefined)
  await Promise.race([ended, once(child, 'message', { signal: proof.signal })])
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** The first worker that is seen with a file in its hands. Workers that were done before anybody looked get more. */
async function atWork(
  proof: ProofContext,
  database: EngineDatabase,
  workers: readonly ChildProcess[],
  uploadSome: () => Promise<void>,
): Promise<ChildProcess> {
  await uploadSome()
  for (;;) {
    proof.signal.throwIfAborted()
    const [row] = await database.query(`select worker from rindle.media_processing_runs where state = 'processing' limit 1`)
    const found = row && workers.find(({ pid }) => String(row['worker']).endsWith(`:${pid}`))
    if (found) return found
    if (!row && (await database.query(unsettled)).length === 0) await uploadSome()
    await pause(5)
  }
}

/** Asks an app for rows. @throws when it ends instead of answering */
const asking = (app: ChildProcess, signal: AbortSignal): Query => {
  const ended = once(app, 'exit').then(([code, by]) => {
    throw new Error(`app.ts ended with ${by ?? code} when it was asked for rows`)
  })
  ended.catch(() => undefined)
  return async (text) => {
    app.send(text)
    for (;;) {
      const [message] = await Promise.race([ended, once(app, 'message', { signal })])
      if (typeof message === 'object' && message !== null && 'rows' in message) return message.rows as Row[]
    }
  }
}

const unsettled = `select a.state,
    coalesce((select string_agg(coalesce(r.error_code, r.state), ', ' order by r.started_at) from rindle.media_processing_runs r where r.asset_id = a.id), '') as attempts
  from rindle.media_assets a
  where a.state <> 'ready' or exists (select from rindle.media_processing_runs r where r.asset_id = a.id and r.state = 'processing')`

async function untilDone(proof: ProofContext, query: Query): Promise<void> {
  const limitMs = (leaseOf(proof) + lookSeconds + 30) * 1000
  for (const began = performance.now(); performance.now() - began < limitMs && !proof.signal.aborted;) {
    if ((await query(unsettled)).length === 0) return
    await pause(50)
  }
  for (const { state, attempts } of await query(unsettled))
    proof.breach(`an asset is ${String(state)}, not ready, ${limitMs / 1000} s after the kill; attempts: ${String(attempts)}`)
}

/** From the kill to the next attempt, or to the readiness that the killed worker had reached without saying so. */
async function takeoverSeconds(proof: ProofContext, database: EngineDatabase, assetId: string, killedAt: Date): Promise<number> {
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
async function check(proof: ProofContext, query: Query, { directory }: Scene): Promise<void> {
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

/** Eight megapixels of soft noise: long enough to be killed over, short enough to be made. */
const makePhoto = (random: Random): Promise<Buffer> =>
  sharp(Buffer.from(random.bytes(400 * 300 * 3)), { raw: { width: 400, height: 300, channels: 3 } })
    .resize(3200, 2400)
    .jpeg({ quality: 90 })
    .toBuffer()
