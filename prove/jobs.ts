import { mkdirSync } from 'node:fs'
import { RindleError } from '../src/core/errors.ts'
import type { SignedRequest, StorageAdapter } from '../src/core/ports/storage.ts'
import { plainPicture } from '../test/journeys/fixtures/plain-jail.ts'
import type { EngineDatabase } from '../test/services/engines.ts'
import { engineNamed, withOneServer } from './database.ts'
import { breachIn, loggerOf, startCrew } from './everything/crew.ts'
import { judgeAll, judgeNow } from './everything/judge.ts'
import type { Board } from './everything/people.ts'
import { roundsUntil, untilNothingIsDue } from './everything/quiet.ts'
import { type Shares, type SimulatedProcess, startSimulatedProcess } from './everything/simulated-process.ts'
import { startTime } from './everything/time.ts'
import { openUnreliablePorts, poison } from './everything/unreliable-ports.ts'
import type { Proof, ProofContext, Random } from './harness.ts'
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
const emptyEverySeconds = 40
const mostRounds = 200

type Kind = 'good' | 'deadly' | 'refused'
/** So that none of them is ever left out. */
const first: readonly Kind[] = ['deadly', 'refused']

interface Fleet {
  readonly web: SimulatedProcess
  readonly send: (ticket: SignedRequest, body: Uint8Array<ArrayBuffer>) => Promise<unknown>
  readonly files: Map<string, Kind>
  /** Assets of which storage takes nothing. */
  readonly refused: Set<string>
  readonly purged: Set<string>
  readonly board: Board
}

/** Jobs are handed out again and again, forgotten, and done by workers that are thought dead. */
export const jobs: Proof = {
  name: 'jobs',
  means:
    'jobs that are handed out one to five times, forgotten with the whole queue or done by workers thought dead have one effect each, none is lost, and no bad file keeps a good one waiting',
  unit: 'jobs',
  amount: { ci: 120, full: 10_000 },
  shows: { deliveries: 'deliveries', zombies: 'zombies', killed: 'kills' },
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
  const asked = { jobs: 0, deliveries: 0 }
  const luck = random.fork('queue')
  mkdirSync(folder, { recursive: true })
  const machine = (name: string, shares: Shares, connections: number): Promise<SimulatedProcess> =>
    startSimulatedProcess({
      ...{ name, shares, connections, url: database.place, time, leaseSeconds, scratchFolder: folder, storages, jail: ports.jail, witness },
      ...{ random: random.fork(name), logger: loggerOf(breach.say) },
      deliveries() {
        const times = 1 + luck.int(5)
        asked.jobs += 1
        asked.deliveries += times
        return times
      },
    })

  const web = await machine('web', unharmed, clients + 4)
  const board: Board = { assets: [], sessions: [], attached: new Set(), counts: {} }
  const send = (ticket: SignedRequest, body: Uint8Array<ArrayBuffer>) => ports.buckets.strict.send({ ...ticket, body })
  const fleet: Fleet = { web, send, files: new Map(), refused, purged: new Set(), board }
  const crew = await startCrew(crewOf, (name) => machine(name, zombies, 8))
  const emptier = emptyQueue(database, time)
  try {
    const each = Math.ceil(proof.amount / jobsOfOneFile / clients)
    await Promise.all(
      Array.from({ length: clients }, (_, client) =>
        bring(fleet, random.fork(`client ${client}`), { files: each, first: first[client] ?? 'good', signal: proof.signal }),
      ),
    )
    await time.jump(70)
    await drained(database, proof)
    const { killed, slept } = await crew.dismiss()
    const emptied = await emptier.stop()
    await web.kill()
    await time.halt()
    ports.calm()

    const last = await machine('last', unharmed, 12)
    const court = { query, buckets: Object.values(ports.buckets), breach: breach.say }
    const calm = { query, time, ports, process: last, signal: proof.signal, watch: () => judgeNow(court), breach: breach.say }
    const rounds = await roundsUntil(calm, mostRounds, async () => {
      await pardon(last, database)
      return (await unfinished(database, fleet)).length === 0
    })
    for (const id of rounds === null ? await unfinished(database, fleet) : []) breach.say(`the good file ${id} does not come to an end`, id)
    if (fleet.refused.size > 0) await judgeRefused(database, fleet, breach.say)
    refused.clear()
    if ((await untilNothingIsDue(calm)) === null) breach.say('jobs are left without end')
    await judgeEffects(database, fleet, breach.say)
    await judgeAll(last.ctx, court, { witness, attached: board.attached })
    await last.kill()
    judgeTrouble(proof, { ...asked, emptied, zombies: slept }, breach.say)
    const kinds = Object.groupBy(fleet.files.values(), (kind) => kind)
    const bad = { deadly: kinds.deadly?.length ?? 0, refused: kinds.refused?.length ?? 0 }
    return {
      runs: asked.jobs,
      figures: { ...asked, files: fleet.files.size, ...bad, emptied, killed, zombies: slept, rounds: rounds ?? 0 },
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

/** Storage that says no, for good, to whatever is written for some assets, or deleted of them. */
const refusing = (adapter: StorageAdapter, refused: ReadonlySet<string>): StorageAdapter => {
  const guard = (key: string, operation: string): void => {
    const [role, assetId] = key.split('/')
    if (role !== 'staging' && assetId !== undefined && refused.has(assetId))
      throw new RindleError('storage_failed', { operation, store: adapter.id })
  }
  return {
    ...adapter,
    async put(key, body, options) {
      guard(key, 'put')
      return adapter.put(key, body, options)
    },
    async copy(from, to, options) {
      guard(to, 'copy')
      return adapter.copy(from, to, options)
    },
    async delete(key, options) {
      guard(key, 'delete')
      return adapter.delete(key, options)
    },
  }
}

interface Bringing {
  readonly files: number
  readonly first: Kind
  readonly signal: AbortSignal
}

/** Uploads one file after another, puts some into slots, and purges some. */
const bring = async (fleet: Fleet, random: Random, { files, first, signal }: Bringing): Promise<void> => {
  const { app } = fleet.web
  for (let index = 0; index < files && !signal.aborted; index += 1) {
    const bytes = plainPicture(100)
    bytes.set(random.bytes(90), 10)
    const kind: Kind =
      index === 0 ? first : random.pick(['good', 'deadly', 'refused', ...Array.from({ length: 57 }, () => 'good' as const)] as const)
    bytes[5] = kind === 'deadly' ? poison : 0
    const session = await app.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.byteLength })
    fleet.files.set(session.assetId, kind)
    if (kind === 'refused') fleet.refused.add(session.assetId)
    await patiently(async () => {
      const { presigned } = await app.signUpload(session.id)
      await fleet.send(presigned, bytes).catch(() => undefined)
      await app.verifyCompletion(session.id)
    })
    if (random.chance(0.66)) {
      await app.attach(session.assetId, { type: 'Person', id: random.int(files) }, 'portrait').then(
        () => fleet.board.attached.add(session.assetId),
        (err: unknown) => {
          if (kind !== 'deadly') throw err
        },
      )
    } else if (random.chance(0.3)) {
      fleet.purged.add(session.assetId)
      await app.purge(session.assetId)
    }
    await new Promise((resolve) => setTimeout(resolve, random.int(20)))
  }
}

/** As clients do whose connection is lost now and then. */
const patiently = async (run: () => Promise<unknown>): Promise<void> => {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return void (await run())
    } catch (err) {
      if (attempt === 20 || !(err instanceof RindleError) || !err.retryable) throw err
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** Forgets every job that waits or is taken, again and again. */
const emptyQueue = (database: EngineDatabase, time: { seconds(): number }) => {
  let isOver = false
  let emptied = 0
  let last = time.seconds()
  const turning = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      if (time.seconds() - last < emptyEverySeconds) continue
      // Whoever empties a table while others write to it may be the one that the server turns away.
      const gone = await database.query('delete from rindle_queue.job returning id').catch(() => null)
      if (gone === null) continue
      last = time.seconds()
      emptied += gone.length
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

const mostDrainMs = { ci: 10_000, tenth: 60_000, full: 120_000 }

/** Lets the workers have most of what was brought, so that the end is theirs as well. */
const drained = async (database: EngineDatabase, { size, signal }: ProofContext): Promise<void> => {
  for (const began = performance.now(); performance.now() - began < mostDrainMs[size] && !signal.aborted;) {
    const [row] = await database.query(`select count(*)::int as left from rindle.media_assets where state in ('validating', 'processing')`)
    if (Number(row?.['left']) < 20) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Whoever lost five leases in a row is held back until somebody says otherwise: here somebody does. */
const pardon = async (machine: SimulatedProcess, database: EngineDatabase): Promise<void> => {
  const held = await database.query(`select id from rindle.media_assets where state = 'quarantined' and error_code = 'worker_lost'`)
  for (const { id } of held) await machine.app.releaseQuarantine(String(id), { reason: 'it was the fleet', actor: 'an operator' })
}

const unfinished = async (database: EngineDatabase, { files, refused }: Fleet): Promise<string[]> => {
  const good = [...files].flatMap(([id, kind]) => (kind === 'good' && !refused.has(id) ? [id] : []))
  const rows = await database.query(`select id from rindle.media_assets where id = any($1) and state not in ('ready', 'deleted')`, [good])
  return rows.map(({ id }) => String(id))
}

type Breach = (text: string, about?: string) => void

/** What did not happen was not survived either. A few jobs may see no worker sleep. */
const judgeTrouble = ({ amount, size }: ProofContext, seen: Readonly<Record<string, number>>, breach: Breach): void => {
  const { jobs: asked = 0, deliveries = 0, emptied = 0, zombies = 0 } = seen
  if (asked < amount) breach(`only ${asked} jobs were asked for, not ${amount}`)
  if (deliveries < 2 * asked) breach(`${asked} jobs were handed out only ${deliveries} times`)
  if (emptied === 0) breach('the queue was never emptied while jobs were in it')
  if (zombies === 0 && size !== 'ci') breach('no worker slept past its lease')
}

/** Of what storage refuses nothing is served, nothing is lost, and somebody comes back to it. */
const judgeRefused = async (database: EngineDatabase, { refused }: Fleet, breach: Breach): Promise<void> => {
  const rows = await database.query(
    `select id, state from rindle.media_assets where id = any($1) and (state not in ('validating', 'analyzing', 'deleted') or due_at is null)`,
    [[...refused]],
  )
  for (const { id, state } of rows) breach(`storage refuses asset ${String(id)}, which is ${String(state)}`, String(id))
}

/** Every file had one effect, and each of its variants one. */
const judgeEffects = async (database: EngineDatabase, { files, purged, board }: Fleet, breach: Breach): Promise<void> => {
  const twice = await database.query(
    `select m.asset_id, m.entity, m.move, count(*)::int as times from rindle.state_moves m
      where (m.entity = 'asset' and m.move in ('accept', 'admit', 'doom')) or (m.entity = 'variant' and m.move = 'finish')
      group by m.asset_id, m.entity, m.entity_id, m.move having count(*) > 1`,
  )
  for (const { asset_id, entity, move, times } of twice)
    breach(`${String(entity)} of ${String(asset_id)} made ${String(move)} ${String(times)} times`, String(asset_id))
  const rows = await database.query(
    `select a.id, a.state, (select count(*)::int from rindle.media_variants v where v.asset_id = a.id and v.state = 'ready') as ready
       from rindle.media_assets a`,
  )
  const left = new Map(rows.map(({ id, state, ready }) => [String(id), { state, ready }]))
  const admitted = await database.query(`select distinct asset_id from rindle.state_moves where entity = 'asset' and move = 'admit'`)
  const passed = new Set(admitted.map(({ asset_id }) => String(asset_id)))
  for (const [id, kind] of files) {
    const found = left.get(id)
    if (kind === 'deadly') {
      if (passed.has(id)) breach(`the deadly file ${id} passed the gate`, id)
    } else if (purged.has(id) || board.attached.has(id)) {
      if (found && (found.state !== 'ready' || found.ready !== 2))
        breach(`file ${id} is ${String(found.state)} with ${String(found.ready)} variants`, id)
      if (purged.has(id) && found) breach(`file ${id} was purged and is ${String(found.state)}`, id)
    } else if (found?.state !== 'ready' || found.ready !== 2) breach(`file ${id} is lost: ${String(found?.state)}`, id)
  }
}
