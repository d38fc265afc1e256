import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { engineNamed, withOneServer } from './database.ts'
import { breachIn, loggerOf, startCrew } from './everything/crew.ts'
import { judgeAll, judgeNow } from './everything/judge.ts'
import { createOrders, type Orders } from './everything/orders.ts'
import { type Board, live } from './everything/people.ts'
import { untilNothingIsDue } from './everything/quiet.ts'
import { type Shares, startSimulatedProcess } from './everything/simulated-process.ts'
import { startTime } from './everything/time.ts'
import { openUnreliablePorts, type UnreliablePorts } from './everything/unreliable-ports.ts'
import type { Proof, ProofContext, Random } from './harness.ts'
import { judgeInvariants } from './judge/end.ts'
import { openObserver } from './judge/observer.ts'
import { createWitness } from './judge.ts'

const factor = 20
const leaseSeconds = 10
const workers = 5
const filesAtOnce = 3
const atWork: Shares = { killed: 0.02, asleep: 0.03 }
const unharmed: Shares = { killed: 0, asleep: 0 }
/** The queue loses a tenth of its jobs, and doubles a tenth. */
const deliveries = [0, 1, 1, 1, 1, 1, 1, 1, 1, 2]
const storageFaults = 0.16
const longerThanAnyStorm = 30 * 86_400
/** How long everybody stands still at once now and then: machines that are frozen, and a wall clock that goes on. */
const jumps = [40, 600, 4_000, 90_000]

type Figures = Record<string, number>

/** All at once that can go wrong, and then calm. */
export const everything: Proof = {
  name: 'everything',
  means:
    'through kills, sleepers, lost and doubled jobs, failing storage, late writes, long transactions and encodes that are stopped no byte is without its row, nothing attached goes, what was stopped stays so, and in the end nothing is owed',
  unit: 'storms',
  amount: { ci: 1, full: 20 },
  shows: {
    people: 'people',
    files: 'files',
    killed: 'kills',
    slept: 'sleepers',
    cancelled: 'builds stopped',
    requeued: 'asked for again',
    storageFaults: 'storage faults',
    landedLate: 'late landings',
  },
  async run(proof) {
    const figures: Figures = {}
    await withOneServer(async () => {
      for (let storm = 0; storm < proof.amount && !proof.signal.aborted; storm += 1) {
        const one = await rage(proof, proof.random.fork(storm), storm)
        for (const [name, value] of Object.entries(one)) figures[name] = (figures[name] ?? 0) + value
      }
    })
    const { rounds = 0, ...rest } = figures
    const { cancelled = 0, requeued = 0 } = rest
    if (proof.size !== 'ci' && Math.min(cancelled, requeued) === 0) proof.breach('nothing was stopped, or nothing of it asked for again')
    return { runs: proof.amount, figures: { ...rest, roundsEach: Math.round(rounds / proof.amount) } }
  },
}

const sizeOf = ({ size }: ProofContext, random: Random) =>
  size === 'ci' ? { people: 16, turns: 6 } : { people: 16 + random.int(49), turns: 12 + random.int(12) }

const rage = async (proof: ProofContext, random: Random, storm: number): Promise<Figures> => {
  const began = performance.now()
  const { people, turns } = sizeOf(proof, random)
  const ground = await openGround(proof, random, `storm ${storm}`)
  const { time, ports, witness, court, crewed, start } = ground
  const web = await start('web', { shares: unharmed, connections: people + 4 })
  const observer = await start('observer', { shares: unharmed, connections: 2 })
  const board: Board = { assets: [], sessions: [], attached: new Set(), counts: {} }
  const orders = createOrders()
  const crew = await startCrew(crewed, (name) => start(name, { shares: atWork, connections: 8 }))
  const sky = weather(random.fork('sky'), time, ports, async (turn) => {
    await judgeNow(court)
    if (turn % 8 === 0) await judgeInvariants(observer.ctx, court.breach, { storage: false, overdueSeconds: longerThanAnyStorm })
  })
  const end = async () => {
    await sky.clear()
    const counts = await crew.dismiss()
    await Promise.all([web.kill(), observer.kill()])
    await time.halt()
    return counts
  }
  try {
    const surroundings = { web, ports, witness, board, orders, owners: Math.ceil(people / 3), breach: court.breach }
    await Promise.all(Array.from({ length: people }, (_, person) => live(surroundings, random.fork(`person ${person}`), turns)))
    const { killed, slept } = await end()
    const stormed = performance.now()
    const rounds = await ground.untilQuiet(board, orders)
    const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1)
    proof.note(
      `storm ${storm}: ${people} people, ${board.assets.length} files, ${killed} killed, ${slept} slept, ${seconds(began, stormed)} s, then ${rounds} rounds in ${seconds(stormed, performance.now())} s ${JSON.stringify(board.counts)}`,
    )
    return {
      ...{ people, files: board.assets.length, killed, slept, ...orders.count(), rounds, looks: sky.looks(), ...ports.counts },
      virtualHours: Math.round(time.seconds() / 3600),
    }
  } finally {
    await end()
    await ground.close()
  }
}

/** The database, the time and the ports of one storm, and who judges it. */
const openGround = async (proof: ProofContext, random: Random, name: string) => {
  const database = await engineNamed('postgres').open()
  await database.query('create table if not exists public.app_rows (words text)')
  const time = await startTime(database, factor)
  const breaches = breachIn(proof, database, name)
  const breach = (text: string): void => breaches.say(text)
  const { query, close } = openObserver(database.given)
  const witness = createWitness({ query, breach })
  const ports = openUnreliablePorts({ time, random: random.fork('ports'), faults: storageFaults, witness })
  const scratchFolder = join(proof.folder, name.replaceAll(' ', '-'))
  mkdirSync(scratchFolder, { recursive: true })
  const luck = random.fork('queue')
  const court = { query, buckets: Object.values(ports.buckets), breach }
  const start = (who: string, { shares, connections }: { readonly shares: Shares; readonly connections: number }) =>
    startSimulatedProcess({
      ...{ url: database.place, time, leaseSeconds, scratchFolder, storages: ports.storages, jail: ports.jail, witness },
      ...{ name: `${who} of ${name}`, shares, connections, random: random.fork(who), logger: loggerOf(breach) },
      deliveries: shares === unharmed && who !== 'web' ? () => 1 : () => luck.pick(deliveries),
    })
  return {
    ...{ time, ports, witness, court, start, crewed: { workers, filesAtOnce } },
    /** Lets calm come, and all to its end, and judges what is left. @returns the rounds that it took. */
    async untilQuiet(board: Board, orders: Orders): Promise<number> {
      ports.calm()
      const last = await start('last', { shares: unharmed, connections: 12 })
      const watch = () => judgeNow(court)
      const rounds = await untilNothingIsDue({ query, breach, time, ports, process: last, signal: proof.signal, watch })
      if (rounds === null) breach(`${name} has not come to an end`)
      await orders.judge(query, breach)
      await judgeAll(last.ctx, court, { witness, attached: board.attached })
      await last.kill()
      return rounds ?? 0
    },
    async close(): Promise<void> {
      await breaches.told()
      await close()
      await database.close()
    },
  }
}

/** Lets late calls land, lets time jump, and looks at what always holds. */
const weather = (
  random: Random,
  time: Awaited<ReturnType<typeof startTime>>,
  ports: UnreliablePorts,
  look: (turn: number) => Promise<void>,
) => {
  let isOver = false
  let looks = 0
  const turning = (async () => {
    for (let turn = 1; !isOver; turn += 1) {
      await ports.landDue()
      await look(turn)
      looks += 1
      if (turn % 10 === 0) await time.jump(random.pick(jumps) * random.next())
      await new Promise((resolve) => setTimeout(resolve, 80))
    }
  })()
  return {
    looks: () => looks,
    async clear() {
      isOver = true
      await turning
    },
  }
}
