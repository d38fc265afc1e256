import type { ChildProcess } from 'node:child_process'
import { readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openStudio } from '../test/journeys/fixtures/av-files.ts'
import { descendants, isAlive } from '../test/services/processes.ts'
import { engineNamed } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { openScene, type Scene } from './kills/scene.ts'
import { check, kill, leaseOf, lookSeconds, sceneIn, start, takeoverSeconds, untilDone } from './kills/victims.ts'

/** Four leases of one film may be lost in a row; the fifth is one too many. */
const killsAFilm = [1, 2, 3, 4] as const
const encodingSeconds = 300
const scratchSeconds = 60

/**
 * A film takes minutes, so most deaths of workers are in the middle of one. By the real clock: another worker begins again what was being made,
 * keeps what was stored, and in the end nothing of the dead is left, neither in the store nor in the folder for jobs.
 */
export const encodeKills: Proof = {
  name: 'encode-kills',
  means: `a worker killed in the middle of an encode costs no film: another begins within the lease and ${lookSeconds} s, all end ready, and nothing is left lying about`,
  unit: 'kills',
  amount: { ci: 1, full: 20 },
  shows: { films: 'films', slowestTakeoverSeconds: 's at most after a lease of 10' },
  async run(proof) {
    const database = await engineNamed('postgres').open()
    const scene = sceneIn(proof, 'encodes')
    const rindle = openScene(database.place, scene)
    const film = await makeFilm(proof)
    const begin = (): Promise<ChildProcess> => start('worker.ts', { url: database.place, ...scene }, proof)
    const workers = await Promise.all([begin(), begin()])
    const takeovers: number[] = []
    let [kills, films, leftByTheDead] = [0, 0, 0]
    try {
      while (kills < proof.amount && !proof.signal.aborted) {
        const { id } = await rindle.upload('lesson', film, { filename: `lesson-${films}.mp4` })
        const most = Math.min(killsAFilm[films % killsAFilm.length] ?? 1, proof.amount - kills)
        films += 1
        for (let times = 0; times < most; times += 1) {
          const victim = await encoderOf(proof, database, workers, id)
          await pause(proof.random.int(50 * filmSecondsOf(proof)))
          const orphans = descendants(victim.pid)
          await kill(victim)
          const [{ at }] = (await database.query('select clock_timestamp() as at')) as [{ at: Date }]
          if (await isEncoding(database, id)) kills += 1
          else proof.note('it was done before it was killed')
          leftByTheDead += leftIn(scene).length
          workers[workers.indexOf(victim)] = await begin()
          await untilTaken(proof, database, id, at)
          takeovers.push(await takeoverSeconds(proof, database, id, at))
          for (const orphan of orphans) if (isAlive(orphan)) proof.breach(`${orphan} of the encode outlived its worker`)
        }
        await untilDone(proof, (text) => database.query(text), encodingSeconds)
        await check(proof, (text) => database.query(text), scene)
        await judgeFilm(proof, database, id)
        proof.note(`film ${films}: its workers were killed ${most} times, taken over after ${takeovers.slice(-most).join(', ')} s`)
      }
      if (leftByTheDead === 0) proof.breach('the dead left nothing in the folder for jobs, so that nothing was shown of its clearing')
      await judgeScratch(proof, scene, { workers, begin })
      return { runs: kills, figures: { films, leaseSeconds: leaseOf(proof), slowestTakeoverSeconds: Math.max(0, ...takeovers) } }
    } finally {
      await Promise.all(workers.map(kill))
      await rindle.close()
      await database.close()
    }
  },
}

type Rows = { query(text: string, values?: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]> }

const encodes = `select worker from rindle.media_processing_runs where asset_id = $1 and job = 'transcode_asset' and state = 'processing'`

const isEncoding = async (database: Rows, id: string): Promise<boolean> => (await database.query(encodes, [id])).length > 0

/** The worker that is seen to have come some way with a film. */
const encoderOf = async (proof: ProofContext, database: Rows, workers: readonly ChildProcess[], id: string): Promise<ChildProcess> => {
  for (;;) {
    proof.signal.throwIfAborted()
    const rows = await database.query(
      `select worker from (${encodes}) r where exists (
      select from rindle.media_variants v where v.asset_id = $1 and v.name = 'web' and v.progress > 0 and v.state = 'processing')`,
      [id],
    )
    const found = workers.find(({ pid }) => rows.some(({ worker }) => String(worker).endsWith(`:${pid}`)))
    if (found) return found
    await pause(20)
  }
}

/** Until another worker has begun, or the time for that is over. */
const untilTaken = async (proof: ProofContext, database: Rows, id: string, at: Date): Promise<void> => {
  const limitMs = (leaseOf(proof) + 2 * lookSeconds) * 1000
  for (const began = performance.now(); performance.now() - began < limitMs && !proof.signal.aborted; await pause(50)) {
    const rows = await database.query('select 1 from rindle.media_processing_runs where asset_id = $1 and started_at > $2::timestamptz', [
      id,
      at,
    ])
    if (rows.length > 0) return
  }
}

/** Each of its variants was stored once, and is what was wanted. */
const judgeFilm = async (proof: ProofContext, database: Rows, id: string): Promise<void> => {
  const rows = await database.query(
    `select v.name, v.state, v.width, v.duration_ms::int as ms, (select count(*)::int from rindle.media_objects o where o.variant_id = v.id and o.state = 'present') as objects
       from rindle.media_variants v where v.asset_id = $1 order by v.name`,
    [id],
  )
  const names = rows.map(({ name }) => String(name)).join(' ')
  if (names !== 'poster scrub wave web') proof.breach(`of a film there are ${names}`)
  for (const { name, state, objects } of rows)
    if (state !== 'ready' || objects !== 1)
      proof.breach(`${String(name)} of film ${id} is ${String(state)}, with ${String(objects)} objects`)
  const filmSeconds = filmSecondsOf(proof)
  const web = rows.find(({ name }) => name === 'web')
  if (web?.['width'] !== 854 || Math.abs(Number(web['ms']) - filmSeconds * 1000) > 300)
    proof.breach(`a film of ${filmSeconds} s became one of ${String(web?.['ms'])} ms, ${String(web?.['width'])} pixels wide`)
}

const leftIn = ({ scratchFolder }: Scene): string[] => readdirSync(scratchFolder).filter((name) => /^rindle-[0-9a-f]{8}-/.test(name))

/** What the dead left is cleared by the next worker once it is an hour old. */
const judgeScratch = async (
  proof: ProofContext,
  scene: Scene,
  { workers, begin }: { readonly workers: ChildProcess[]; begin(): Promise<ChildProcess> },
): Promise<void> => {
  await Promise.all(workers.map(kill))
  const before = Date.now() / 1000 - 7_200
  for (const name of readdirSync(scene.scratchFolder, { recursive: true }))
    utimesSync(join(scene.scratchFolder, String(name)), before, before)
  workers.splice(0, workers.length, await begin())
  const isClear = (): boolean => leftIn(scene).length === 0
  for (const began = performance.now(); !isClear() && performance.now() - began < scratchSeconds * 1000;) await pause(100)
  for (const name of leftIn(scene)) proof.breach(`${name} is still in the folder for jobs, two hours after its worker was killed`)
}

const filmSecondsOf = ({ size }: ProofContext): number => (size === 'ci' ? 8 : 16)

/** Noise that moves: long enough to be killed over, soon made. */
const makeFilm = async (proof: ProofContext): Promise<Buffer> => {
  const studio = await openStudio()
  try {
    const picture = `testsrc2=size=1280x720:rate=30:duration=2,noise=alls=12:allf=t:all_seed=${proof.random.int(1_000)}`
    const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=440:duration=2']
    await studio.make('part.mp4', ...inputs, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac')
    return await studio.make(
      'lesson.mp4',
      '-stream_loop',
      String(filmSecondsOf(proof) / 2 - 1),
      '-i',
      join(studio.folder, 'part.mp4'),
      '-c',
      'copy',
    )
  } finally {
    await studio.close()
  }
}
