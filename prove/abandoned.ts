import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { purge } from '../src/flows/assets/purge.ts'
import { upload } from '../src/flows/uploads/upload.ts'
import { createSettableClock } from '../src/testing/clock.ts'
import type { BucketHonours } from '../src/testing/memory-bucket.ts'
import { plainPicture } from '../test/journeys/fixtures/plain-jail.ts'
import { gatewayGround, memoryGround, openSite, type Site } from './abandoned/site.ts'
import type { Task } from './abandoned/uploader.ts'
import { ways } from './abandoned/ways.ts'
import { chosenEngine } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext, Random } from './harness.ts'

/** Of three uploads one is left on a real server, and of those a third by a process that is killed. */
const gatewayShare = 1 / 3
const killedShare = 3
const uploadsAChild = 20
/** Files that were taken in whole, which nothing may touch. */
const wholeFiles = 3
const stepSeconds = 10_800
const mostSteps = 80
const stepsADay = 8
/** When of the day storage is held against the rows: long after the sweeps have done what they can. */
const listingStep = 3

type Count = Readonly<Record<string, number>>

/** Uploads in parts are left at every point there is, their tickets are used long after, and what storage is told is lost or late. */
export const abandoned: Proof = {
  name: 'abandoned',
  means:
    'of uploads that were abandoned at any point, once their time is up, no upload, no row and no byte is left, and nothing else is touched',
  unit: 'uploads',
  amount: { ci: 40, full: 500 },
  shows: { gateway: 'on a real S3 server', killed: 'by processes killed with -9' },
  async run(context) {
    const onGateway = amountOnGateway(context, gatewayShare, 'left')
    const inMemory = context.amount - onGateway
    const counts = await Promise.all([
      leaveInMemory(context, Math.ceil(inMemory / 2), {}),
      leaveInMemory(context, Math.floor(inMemory / 2), { abort: false, createOnly: false }),
      ...(onGateway > 0 ? [leaveOnGateway(context, onGateway)] : []),
    ])
    const figures = sum(counts)
    return { runs: figures['left'] ?? 0, figures }
  },
}

const leaveInMemory = async (context: ProofContext, amount: number, honours: Partial<BucketHonours>): Promise<Count> => {
  const label = honours.abort === false ? 'heedless' : 'strict'
  const random = context.random.fork(label)
  const clock = createSettableClock()
  const ground = memoryGround({ clock, random: random.fork('landings'), honours })
  const site = await openSite({ engine: chosenEngine(), folder: join(context.folder, label), clock, ground })
  try {
    await takeWhole(site)
    return await outlive(context, site, random, { memory: await leave(context, site, random, amount) })
  } finally {
    await site.close()
  }
}

const leaveOnGateway = async (context: ProofContext, amount: number): Promise<Count> => {
  const random = context.random.fork('gateway')
  const ground = await gatewayGround()
  const engine = chosenEngine()
  const site = await openSite({ engine, folder: join(context.folder, 'gateway'), clock: createSettableClock(new Date()), ground })
  try {
    await takeWhole(site)
    const killed = engine.concurrent ? Math.floor(amount / killedShare) : 0
    const left = await leave(context, site, random, amount - killed)
    const byKilled = await leaveByKill(context, site, { ...ground.bucket, random, amount: killed })
    return await outlive(context, site, random, { gateway: left, killed: byKilled })
  } finally {
    await site.close()
  }
}

const takeWhole = async (site: Site): Promise<void> => {
  for (let left = wholeFiles; left > 0; left -= 1) await upload(site.ctx, 'film', plainPicture(), { filename: 'whole.png' })
  await site.worker.pass(stepSeconds)
}

const leave = async ({ signal }: ProofContext, site: Site, random: Random, amount: number): Promise<number> => {
  const names = Object.keys(ways)
  for (let index = 0; index < amount && !signal.aborted; index += 1) {
    const name = names[index % names.length] ?? 'opened'
    await ways[name]?.(site, random.fork(`${name} ${index}`))
    // Time goes on while others come and go.
    if (random.chance(0.1)) site.clock.advance(random.int(600))
  }
  return amount
}

/** Processes that take many uploads at once are killed in their middle. @returns how many uploads they left. */
const leaveByKill = async (
  context: ProofContext,
  site: Site,
  { random, amount, ...bucket }: Omit<Task, 'url' | 'seed' | 'uploads'> & { readonly random: Random; readonly amount: number },
): Promise<number> => {
  const { endpoint, region, credentials, guest } = bucket
  const count = async (): Promise<number> =>
    Number((await site.database.query('select count(*)::int as n from rindle.media_upload_sessions'))[0]?.['n'])
  const before = await count()
  for (let begun = 0; begun < amount && !context.signal.aborted; begun += uploadsAChild) {
    const task: Task = {
      ...{ url: site.database.place, bucket: bucket.bucket, endpoint, region, credentials, guest },
      ...{ seed: random.int(2 ** 31), uploads: Math.min(uploadsAChild, amount - begun) },
    }
    const child = fork(new URL('./abandoned/uploader.ts', import.meta.url), [JSON.stringify(task)], {
      execArgv: ['--conditions=rindle-source'],
    })
    await once(child, 'message', { signal: context.signal })
    await pause(random.int(300))
    await kill(child)
  }
  const left = (await count()) - before
  context.note(`${left} uploads left by processes that were killed`)
  return left
}

const kill = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** Lets days pass until only what is whole is there, and takes that away as well. */
const outlive = async (context: ProofContext, site: Site, random: Random, left: Count): Promise<Count> => {
  const before = await site.ground.contents()
  const found = { aborted: 0, deleted: 0 }
  const passDays = async (isDone: () => Promise<boolean>): Promise<void> => {
    for (let step = 1; step <= mostSteps && !context.signal.aborted; step += 1) {
      await meddle(site, random)
      await site.worker.pass(stepSeconds)
      if (step % stepsADay !== listingStep) continue
      for (const { aborted, deleted } of await site.worker.reconcile()) {
        found.aborted += aborted
        found.deleted += deleted
      }
      if (await isDone()) return
    }
  }
  await passDays(async () => (await site.ground.contents()).uploads.length === 0 && (await rowsOf(site)).every(({ isWhole }) => isWhole))
  await checkWhole(context, site)
  for (const { id, table } of await rowsOf(site)) if (table === 'assets') await purge(site.ctx, id)
  await passDays(async () => (await rowsOf(site)).length === 0)
  await checkNothing(context, site)
  const total = Object.values(left).reduce((all, one) => all + one, 0)
  return { ...left, left: total, uploadsFound: before.uploads.length, abortedByListing: found.aborted, deletedByListing: found.deleted }
}

/** Somebody uses a ticket of long ago, and something lands that was on its way. */
const meddle = async ({ tickets, ground }: Site, random: Random): Promise<void> => {
  if (tickets.length > 0 && random.chance(0.5)) await ground.send(random.pick(tickets)).catch(() => undefined)
  if (random.chance(0.5)) ground.landOne(random)
}

interface Row {
  readonly table: string
  readonly id: string
  /** True for what belongs to a file that was taken in whole, and is not being purged. */
  readonly isWhole: boolean
}

const rowsOf = async ({ database }: Site): Promise<readonly Row[]> => {
  const rows = await database.query(`
    select 'assets' as "table", a.id::text, a.state = 'available' as "isWhole" from rindle.media_assets a
    union all select 'objects', o.id::text, o.state = 'present' and o.role = 'original' from rindle.media_objects o
    union all select 'sessions', s.id::text, false from rindle.media_upload_sessions s
    union all select 'variants', v.id::text, false from rindle.media_variants v`)
  return rows.map(({ table, id, isWhole }) => ({ table: String(table), id: String(id), isWhole: isWhole === true }))
}

const checkWhole = async ({ breach }: ProofContext, site: Site): Promise<void> => {
  const { uploads, keys } = await site.ground.contents()
  if (uploads.length > 0) breach(`${uploads.length} uploads in parts are left, such as ${uploads[0]}`)
  const rows = await rowsOf(site)
  const loose = rows.filter(({ isWhole }) => !isWhole)
  if (loose.length > 0) breach(`${loose.length} rows are left, such as ${JSON.stringify(loose[0])}`)
  const known = (await site.database.query(`select key from rindle.media_objects where state = 'present'`)).map(({ key }) => String(key))
  const strays = keys.filter((key) => !known.includes(key))
  if (strays.length > 0) breach(`${strays.length} objects are left, such as ${strays[0]}`)
  const missing = known.filter((key) => !keys.includes(key))
  if (missing.length > 0 || known.length < wholeFiles) breach(`of ${known.length} whole files ${missing.length} are gone`)
}

const checkNothing = async ({ breach }: ProofContext, site: Site): Promise<void> => {
  const { uploads, keys } = await site.ground.contents()
  const rows = await rowsOf(site)
  if (uploads.length + keys.length + rows.length > 0)
    breach(
      `${uploads.length} uploads, ${keys.length} objects and ${rows.length} rows are left: ${[...uploads, ...keys, JSON.stringify(rows[0])][0]}`,
    )
}

const sum = (counts: readonly Count[]): Count => {
  const total: Record<string, number> = {}
  for (const count of counts) for (const [name, value] of Object.entries(count)) total[name] = (total[name] ?? 0) + value
  return total
}
