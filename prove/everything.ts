import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { engineNamed, withOneServer } from './database.ts'
import { breachIn, loggerOf, startCrew } from './everything/crew.ts'
import { openHouse } from './everything/house.ts'
import { judgeEnd, judgeInvariants, judgeNow } from './everything/judge.ts'
import { type Machine, type Shares, startMachine } from './everything/machine.ts'
import { type Board, live } from './everything/people.ts'
import { untilNothingIsDue } from './everything/quiet.ts'
import { startTime } from './everything/time.ts'
import type { Proof, ProofContext, Random } from './harness.ts'

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
    'through kills, sleepers, lost and doubled jobs, failing storage, late writes and long transactions no byte is without its row, nothing attached goes, and in the end nothing is owed',
  unit: 'storms',
  amount: { ci: 1, full: 20 },
  shows: {
    people: 'people',
    files: 'files',
    killed: 'kills',
    slept: 'sleepers',
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
    return { runs: proof.amount, figures: { ...rest, roundsEach: Math.round(rounds / proof.amount) } }
  },
}

const sizeOf = ({ size }: ProofContext, random: Random) =>
  size === 'ci' ? { people: 16, turns: 6 } : { people: 16 + random.int(49), turns: 12 + random.int(12) }

const rage = async (proof: ProofContext, random: Random, storm: number): Promise<Figures> => {
  const began = performance.now()
  const { people, turns } = sizeOf(proof, random)
  const database = await engineNamed('postgres').open()
  await database.query('create table if not exists public.app_rows (words text)')
  const time = await startTime(database, factor)
  const breach = breachIn(proof, database, `storm ${storm}`)
  const house = openHouse({ database, time, random: random.fork('house'), faults: storageFaults, breach: breach.say })
  const scratchFolder = join(proof.folder, `storm-${storm}`)
  mkdirSync(scratchFolder, { recursive: true })
  const common = { url: database.place, time, leaseSeconds, scratchFolder, storages: house.storages, jail: house.jail }
  const luck = random.fork('queue')
  const machine = (name: string, shares: Shares, connections: number): Promise<Machine> =>
    startMachine({
      ...common,
      name: `${name} of ${storm}`,
      shares,
      connections,
      random: random.fork(name),
      logger: loggerOf(breach.say),
      deliveries: shares === unharmed && name !== 'web' ? () => 1 : () => luck.pick(deliveries),
    })

  const web = await machine('web', unharmed, people + 4)
  const board: Board = { assets: [], sessions: [], attached: new Set(), counts: {} }
  const crew = await startCrew({ workers, filesAtOnce }, (name) => machine(name, atWork, 8))
  const witness = await machine('witness', unharmed, 2)
  const court = { database, house, breach: breach.say }
  const sky = weather(random.fork('sky'), time, house, async (turn) => {
    await judgeNow(court)
    if (turn % 8 === 0) await judgeInvariants(court, witness.ctx, { storage: false, overdueSeconds: longerThanAnyStorm })
  })
  const owners = Math.ceil(people / 3)
  try {
    const stage = { web, house, board, owners, breach: breach.say }
    await Promise.all(Array.from({ length: people }, (_, person) => live(stage, random.fork(`person ${person}`), turns)))
    await sky.clear()
    const { killed, slept } = await crew.dismiss()
    await Promise.all([web.kill(), witness.kill()])
    const stormed = performance.now()
    await time.halt()
    house.calm()
    const last = await machine('last', unharmed, 12)
    const rounds = await untilNothingIsDue({
      database,
      time,
      house,
      machine: last,
      signal: proof.signal,
      watch: () => judgeNow(court),
      breach: breach.say,
    })
    if (rounds === null) breach.say(`storm ${storm} has not come to an end`)
    await judgeEnd(court, board)
    await judgeInvariants(court, last.ctx, { quiet: true, bytes: Infinity })
    await last.kill()
    const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(1)
    proof.note(
      `storm ${storm}: ${people} people, ${board.assets.length} files, ${killed} killed, ${slept} slept, ${seconds(began, stormed)} s, then ${rounds} rounds in ${seconds(stormed, performance.now())} s ${JSON.stringify(board.counts)}`,
    )
    return {
      ...{ people, files: board.assets.length, killed, slept, rounds: rounds ?? 0, looks: sky.looks(), ...house.counts },
      virtualHours: Math.round(time.seconds() / 3600),
    }
  } finally {
    await sky.clear()
    await crew.dismiss()
    await Promise.all([web.kill(), witness.kill()])
    await time.halt()
    await breach.told()
    await database.close()
  }
}

/** Lets late calls land, lets time jump, and looks at what always holds. */
const weather = (
  random: Random,
  time: Awaited<ReturnType<typeof startTime>>,
  house: ReturnType<typeof openHouse>,
  look: (turn: number) => Promise<void>,
) => {
  let isOver = false
  let looks = 0
  const turning = (async () => {
    for (let turn = 1; !isOver; turn += 1) {
      house.landDue()
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
