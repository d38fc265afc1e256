import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import sharp from 'sharp'
import type { EngineDatabase } from '../test/services/engines.ts'
import { descendants, isAlive } from '../test/services/processes.ts'
import { engineNamed } from './database.ts'
import type { Proof, ProofContext, Random } from './harness.ts'
import { openScene } from './kills/scene.ts'
import {
  check,
  kill,
  leaseOf,
  lookSeconds,
  type Query,
  type Row,
  sceneIn,
  start,
  takeoverSeconds,
  unsettled,
  untilDone,
} from './kills/victims.ts'

const photosARound = 2

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

/** Eight megapixels of soft noise: long enough to be killed over, short enough to be made. */
const makePhoto = (random: Random): Promise<Buffer> =>
  sharp(Buffer.from(random.bytes(400 * 300 * 3)), { raw: { width: 400, height: 300, channels: 3 } })
    .resize(3200, 2400)
    .jpeg({ quality: 90 })
    .toBuffer()
