import { jobNames } from '../../src/core/jobs.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { ClockReading } from '../../src/core/schedule.ts'
import { createJobRunner } from '../../src/doors/worker/job-runner.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { reconcileStorage } from '../../src/flows/ops/reconcile-storage.ts'
import { sweep } from '../../src/flows/ops/sweep.ts'
import type { ClientAnswer } from '../../src/testing/client-request.ts'
import type { Random } from '../harness.ts'
import type { Bytes, Sendable, World } from './scenario.ts'
import { type Stage, told } from './stage.ts'

export interface Playing {
  readonly random: Random
  readonly label: string
  readonly undisturbed: boolean
  breach(text: string): void
  /** Every error that the app is thrown. */
  hear?(err: unknown): void
}

/** A world for one playing, and what follows it. */
export interface PlayedWorld extends World {
  /** Lets time go on to whatever is due, until nothing is due any more. @returns how many looks of a worker it took. */
  quiesce(): Promise<number>
  /** Does what a worker does once a day: holds what storage lists against the rows. */
  reconcile(): Promise<void>
}

/** A person tries so often. */
const tries = 8
const pausesSeconds = [1, 5, 15, 60, 120, 600, 3_700]
const sends = 6
/** What was sent and is on its way still lands when so much time is let pass. */
const lateSeconds = 600
/** So many looks until the workers must have nothing to do now. */
const mostSettling = 60
/** What was doomed for later may wait; what is tried again after a fault is waited for, up to the longest backoff. */
const soonSeconds = 120
const backoffSeconds = 3_700
/** So many until nothing is due any more: the longest backoff, all leases and days of keeping are in it. */
const mostQuiescing = 250

export const createWorld = (stage: Stage, { random, label, undisturbed, breach, hear }: Playing): PlayedWorld => {
  const { rindle, ctx, clock, patience, database } = stage
  const aborter = new AbortController()
  let previous: ClockReading | null = null

  const landLate = (): void => {
    for (const call of stage.bucket().late.slice()) call.land()
  }
  /** What a client sent lands within a day of its ticket's end, so before much time is let pass. */
  const advance = (seconds: number): void => {
    if (seconds > lateSeconds) landLate()
    clock.advance(seconds)
  }

  /** Asked past the queue, so that a look costs little where nothing is to be done. */
  const jobsWait = async (): Promise<boolean> =>
    (await database.query(`select 1 from rindle_queue.job where state < 'active' limit 1`)).length > 0
  /** Jobs, until there are none. What the database refuses is tried again at the next look. */
  const work = async (): Promise<void> => {
    let done = 0
    const table = jobs.map(({ name, run }) => ({ name, run: (...given: Parameters<typeof run>) => ((done += 1), run(...given)) }))
    const runner = createJobRunner(ctx, { table, decoders: 2, signal: aborter.signal, changed: () => undefined })
    try {
      for (let doneBefore = -1; doneBefore < done && (await jobsWait());) {
        doneBefore = done
        runner.wake(jobNames)
        while (await runner.turn()) await runner.drained()
        await runner.drained()
        await runner.turn()
      }
    } finally {
      await runner.drained()
    }
  }
  const trying = (run: () => Promise<void>): Promise<void> =>
    run().catch((err: unknown) => {
      if (!isRindleError(err) || undisturbed) breach(`a worker was stopped by ${told(err)}`)
    })
  const look = (): Promise<void> =>
    patience.during(
      trying(async () => {
        previous = (await sweep(ctx, { holder: label, previous })).reading
        await work()
      }),
    )

  const dueRows = async (): Promise<readonly Due[]> => {
    const rows = await database.query(allDue)
    return rows.map(({ what, id, busy, due }) => ({
      what: String(what),
      id: String(id),
      busy: busy === true,
      due: due instanceof Date ? due : null,
    }))
  }
  const now = async (): Promise<Date> => clock.database.read()
  /** To what is due first; further, where looks bring nothing about. */
  const goOn = async (rows: readonly Due[], idle: number): Promise<void> => {
    const at = (await now()).getTime()
    const dues = rows.flatMap(({ due }) => (due ? [(due.getTime() - at) / 1000] : []))
    const first = dues.length > 0 ? Math.min(...dues) : 60
    advance(Math.max(first + 0.1, Math.min(600, 5 * 2 ** idle)))
    await look()
  }
  /** @returns the looks it took, and what is left. */
  const until = async (most: number, counts: (row: Due, at: Date) => boolean): Promise<{ looks: number; left: readonly Due[] }> => {
    let [idle, before] = [0, '']
    for (let looks = 0; ; looks += 1) {
      const at = await now()
      const left = (await dueRows()).filter((row) => counts(row, at))
      if (left.length === 0 || looks >= most) return { looks, left }
      const same = left.map(({ what, id }) => `${what} ${id}`).join()
      idle = same === before ? idle + 1 : 0
      before = same
      await goOn(left, idle)
    }
  }
  const leftOver = (left: readonly Due[]): string =>
    left
      .slice(0, 6)
      .map(({ what, id, due }) => `${what} ${id}${due ? ` due ${due.toISOString()}` : ''}`)
      .join(', ')

  const isWorthRepeating = (err: unknown): boolean => isRindleError(err) && err.retryable
  const wait = async (attempt: number): Promise<void> => {
    advance(pausesSeconds[Math.min(attempt, pausesSeconds.length) - 1] ?? 1)
    await look()
  }
  const strange = (err: unknown): void => {
    hear?.(err)
    if (!isRindleError(err)) breach(`an app was thrown what is no RindleError: ${told(err)}`)
  }
  const client = async (request: Sendable, bytes: Bytes | null): Promise<ClientAnswer | null> => {
    for (let attempt = 1; attempt <= sends; attempt += 1) {
      try {
        return await patience.during(stage.bucket().send({ ...request, ...(bytes ? { body: bytes } : {}) }))
      } catch (err) {
        if (!(err instanceof DOMException && err.name === 'NetworkError')) throw err
        advance(1)
      }
    }
    return null
  }

  const world: PlayedWorld = {
    ...{ rindle, ctx, random, label, undisturbed },
    async call(run) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await patience.during(run())
        } catch (err) {
          strange(err)
          if (!isWorthRepeating(err) || attempt === tries) throw err
          await wait(attempt)
        }
      }
    },
    async refused(codes, run) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await patience.during(run())
          breach(`nothing was refused with ${codes.join(' or ')}`)
          return 'nothing'
        } catch (err) {
          strange(err)
          if (isRindleError(err) && codes.includes(err.code)) return err.code
          if (!isWorthRepeating(err) || attempt === tries) throw err
          await wait(attempt)
        }
      }
    },
    async send(signed, bytes) {
      const answer = await client(signed, bytes)
      return answer !== null && (answer.status === 200 || answer.status === 412)
    },
    async fetch(url) {
      const answer = await client({ method: 'GET', url, headers: {} }, null)
      return answer?.status === 200 ? answer.body : null
    },
    async intrude(key, bytes) {
      const { adapter } = stage.bucket()
      await adapter.delete(key)
      await adapter.put(key, new Blob([bytes]).stream(), { contentType: 'image/png' })
    },
    transaction: (end, run) => stage.transaction(end, run),
    another: () => stage.another(),
    async settle() {
      await patience.during(trying(work))
      // Two looks tell whether clocks went apart, and bring forward what one that was ahead has put off.
      for (let looks = undisturbed ? 2 : 0; looks < 2; looks += 1) {
        advance(5)
        await look()
      }
      const { left } = await until(
        mostSettling,
        ({ what, busy, due }, at) =>
          busy && (due === null || due.getTime() - at.getTime() < (what.startsWith('object') ? soonSeconds : backoffSeconds) * 1000),
      )
      if (left.length > 0) breach(`after ${mostSettling} looks of a worker it is still at work: ${leftOver(left)}`)
    },
    async pass(seconds) {
      const step = Math.max(5, seconds / 3)
      for (let left = seconds; left > 0; left -= step) {
        advance(Math.min(step, left))
        await look()
      }
    },
    expect: (holds, text) => void (holds || breach(text)),
    async quiesce() {
      landLate()
      const { looks, left } = await until(mostQuiescing, () => true)
      if (left.length > 0) breach(`after ${mostQuiescing} looks of a worker something is still owed: ${leftOver(left)}`)
      return looks
    },
    async reconcile() {
      let outcome = 'not asked'
      // While clocks are doubted a worker asks again every hour.
      for (const seconds of [2 * 86_400, 3_700, 3_700]) {
        if (outcome === 'done') break
        advance(seconds)
        await look()
        outcome = (await reconcileStorage(ctx, { holder: `${label} of the day` })).outcome
      }
      if (outcome !== 'done') breach(`storage was not held against the rows: ${outcome}`)
      await world.quiesce()
    },
  }
  return world
}

interface Due {
  readonly what: string
  readonly id: string
  /** Nobody should have to wait for it longer than a fault lasts. */
  readonly busy: boolean
  readonly due: Date | null
}

const busyStates = `('validating', 'analyzing', 'promoting', 'processing', 'transcoding')`

const allDue = `
  select 'asset ' || state as what, id, state in ${busyStates} as busy, due_at as due from rindle.media_assets
   where due_at is not null or state in ${busyStates}
  union all
  select 'variant ' || state, id, state in ('planned', 'queued', 'processing'), due_at from rindle.media_variants where due_at is not null
  union all
  select 'session ' || state, id, false, due_at from rindle.media_upload_sessions where due_at is not null
  union all
  select 'attachment ' || t.standing, t.id, t.standing <> 'released' or not (a.state = 'quarantined' and t.due_at = a.due_at), t.due_at
    from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id where t.due_at is not null
  union all
  select 'object ' || o.state, o.id, o.state = 'doomed' and o.role <> 'staging' and o.role <> 'unmanaged', o.due_at
    from rindle.media_objects o where o.due_at is not null`
