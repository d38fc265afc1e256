import { mkdirSync } from 'node:fs'
import type { JobName } from '../src/core/jobs.ts'
import type { SignedRequest } from '../src/core/ports/storage.ts'
import type { EngineDatabase } from '../test/services/engines.ts'
import { engineNamed, withOneServer } from './database.ts'
import { breachIn, loggerOf, startCrew } from './everything/crew.ts'
import { judgeAll, judgeNow } from './everything/judge.ts'
import type { Bytes } from './everything/files.ts'
import type { Board } from './everything/people.ts'
import { roundsUntil, untilNothingIsDue } from './everything/quiet.ts'
import {
  filmJobs,
  type Shares,
  type SimulatedProcess,
  type SimulatedProcessOptions,
  startSimulatedProcess,
} from './everything/simulated-process.ts'
import { startTime } from './everything/time.ts'
import { openUnreliablePorts } from './everything/unreliable-ports.ts'
import type { Proof, ProofContext } from './harness.ts'
import { bring, broughtFirst, fates, type Fleet, picture, refusing } from './jobs/fleet.ts'
import { judgeEffects, judgeRefused, judgeTrouble, pardon, unfinished } from './jobs/judge.ts'
import { openObserver } from './judge/observer.ts'
import { createWitness } from './judge.ts'

const factor = 30
const leaseSeconds = 10
const crewOf = { workers: 4, filesAtOnce: 3 }
const clients = 16
/** Every file is taken through the gate and its staging object deleted; two of three are attached, and some are purged with all they have. */
const jobsOfOneFile = 8
/** Of the steps of jobs after which a worker wakes when its lease is long over. Rare enough that none loses five in a row. */
const zombies: Shares = { killed: 0.0005, asleep: 0.002 }
const unharmed: Shares = { killed: 0, asleep: 0 }
const storageFaults = 0.01
const emptyEverySeconds = 20
/** Of every name one of so many jobs is never handed out: as if the queue had been emptied as soon as it was there. */
const forgottenEach = 5
const mostRounds = 40

/** Jobs are handed out again and again, forgotten, and done by workers that are thought dead. */
export const jobs: Proof = {
  name: 'jobs',
  means:
    'jobs over pictures and films that are handed out one to five times, forgotten with the whole queue or done by workers thought dead have one effect each, none is lost, and no bad file keeps a good one waiting',
  unit: 'jobs',
  amount: { ci: 240, full: 10_000 },
  shows: { deliveries: 'deliveries', films: 'films', zombies: 'zombies', killed: 'kills' },
  run: (proof) => withOneServer(() => run(proof)),
}

const run = async (proof: ProofContext) => {
  const { random, folder } = proof
  const database = await engineNamed('postgres').open()
  const time = await startTime(database, factor)
  const breach = breachIn(proof, database, 'the fleet')
  const { query, close } = openObserver(database.given)
  const witness = createWitness({ query, breach: breach.say })
  const ports = openUnreliablePorts({ time, random: random.fork('ports'), faults: storageFaults, witness })
  const refused = new Set<string>()
  const storages = { strict: refusing(ports.storages.strict, refused), heedless: refusing(ports.storages.heedless, refused) }
  const asked = { jobs: 0, deliveries: 0, forgotten: 0 }
  const ofFilms = { jobs: 0, deliveries: 0, forgotten: 0 }
  const luck = random.fork('queue')
  const asks = new Map<JobName, number>()
  const deliveries: SimulatedProcessOptions['deliveries'] = (name) => {
    const number = (asks.get(name) ?? 0) + 1
    asks.set(name, number)
    const times = number % forgottenEach === 2 ? 0 : 1 + luck.int(5)
    for (const count of filmJobs.includes(name) ? [asked, ofFilms] : [asked]) {
      count.jobs += 1
      count.forgotten += times === 0 ? 1 : 0
      count.deliveries += times
    }
    return times
  }
  mkdirSync(folder, { recursive: true })
  const machine = (name: string, shares: Shares, connections: number): Promise<SimulatedProcess> =>
    startSimulatedProcess({
      ...{ name, shares, connections, url: database.place, time, leaseSeconds, scratchFolder: folder, storages, jail: ports.jail, witness },
      ...{ random: random.fork(name), logger: loggerOf(breach.say), deliveries },
    })

  const web = await machine('web', unharmed, clients + 4)
  const board: Board = { assets: [], sessions: [], attached: new Set(), counts: {} }
  const send = (ticket: SignedRequest, body: Bytes) => ports.buckets.strict.send({ ...ticket, body })
  const fleet: Fleet = { web, send, files: new Map(), refused, purged: new Set(), board }
  const crew = await startCrew(crewOf, (name) => machine(name, zombies, 8))
  const emptier = emptyQueue(database, time)
  try {
    const each = Math.ceil(proof.amount / jobsOfOneFile / clients)
    await Promise.all(
      Array.from({ length: clients }, (_, client) =>
        bring(fleet, random.fork(`client ${client}`), { files: each, first: broughtFirst[client] ?? picture, signal: proof.signal }),
      ),
    )
    await time.jump(70)
    await drained(database, proof)
    const { killed, slept, sleptOverFilms } = await crew.dismiss()
    const emptied = await emptier.stop()
    await web.kill()
    await time.halt()
    ports.calm()

    const last = await machine('last', unharmed, 12)
    const court = { query, buckets: Object.values(ports.buckets), breach: breach.say }
    const calm = { query, time, ports, process: last, signal: proof.signal, watch: () => judgeNow(court), breach: breach.say }
    const pardoned = new Set<string>()
    const rounds = await roundsUntil(calm, mostRounds, async () => {
      for (const id of await pardon(last, database)) pardoned.add(id)
      return (await unfinished(database, fleet)).length === 0
    })
    for (const id of rounds === null ? await unfinished(database, fleet) : []) breach.say(`the file ${id} does not come to its end`, id)
    if (fleet.refused.size > 0) await judgeRefused(database, fleet, breach.say)
    refused.clear()
    if ((await untilNothingIsDue(calm)) === null) breach.say('jobs are left without end')
    await judgeEffects(database, fleet, pardoned, breach.say)
    await judgeAll(last.ctx, court, { witness, attached: board.attached })
    await last.kill()
    const all = { ...asked, emptied: emptied.all, zombies: slept }
    judgeTrouble(proof, all, { ...ofFilms, emptied: emptied.ofFilms, zombies: sleptOverFilms }, breach.say)
    const files = [...fleet.files.values()]
    const films = files.filter(({ medium }) => medium === 'film').length
    const bad = Object.fromEntries(fates.map((fate) => [fate, files.filter((file) => file.fate === fate).length]))
    return {
      runs: asked.jobs,
      figures: {
        ...all,
        killed,
        files: files.length,
        films,
        ...bad,
        rounds: rounds ?? 0,
        filmJobs: ofFilms.jobs,
        zombiesOfFilms: sleptOverFilms,
      },
    }
  } finally {
    await emptier.stop()
    await crew.dismiss()
    await web.kill()
    await time.halt()
    await breach.told()
    await close()
    await database.close()
  }
}

/** Forgets every job that waits or is taken, again and again. */
const emptyQueue = (database: EngineDatabase, time: { seconds(): number }) => {
  let isOver = false
  const emptied = { all: 0, ofFilms: 0 }
  let last = time.seconds()
  const turning = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      if (time.seconds() - last < emptyEverySeconds) continue
      // Whoever empties a table while others write to it may be the one that the server turns away.
      const gone = await database.query('delete from rindle_queue.job returning name').catch(() => null)
      if (gone === null) continue
      last = time.seconds()
      emptied.all += gone.length
      emptied.ofFilms += gone.filter(({ name }) => filmJobs.some((job) => job === name)).length
    }
  })()
  return {
    async stop() {
      isOver = true
      await turning
      return emptied
    },
  }
}

const mostLeft = { ci: 5, tenth: 20, full: 20 }
const mostDrainMs = { ci: 5_000, tenth: 60_000, full: 120_000 }

/** Lets the workers have most of what was brought, so that the end is theirs as well. */
const drained = async (database: EngineDatabase, { size, signal }: ProofContext): Promise<void> => {
  for (const began = performance.now(); performance.now() - began < mostDrainMs[size] && !signal.aborted;) {
    const [row] = await database.query(
      `select count(*)::int as left from rindle.media_assets where state in ('validating', 'processing', 'transcoding')`,
    )
    if (Number(row?.['left']) < mostLeft[size]) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
