import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { RindleContext } from '../../src/context.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { openTicket } from '../../src/core/ticket.ts'
import type { Handler } from '../../src/doors/http/index.ts'
import { type ClientAnswer, sendByFetch } from '../../src/testing/client-request.ts'
import type { Random } from '../harness.ts'
import type { ScenarioRindle } from '../scenarios/app.ts'
import type { Bytes, Scenario, Sendable, World } from '../scenarios/scenario.ts'
import { told } from '../told.ts'
import { adapterOf, type Task } from './app.ts'
import type { Played } from './child.ts'
import { lostOf } from './lost.ts'
import { as, type Ports } from './ports.ts'

export interface Street {
  play(scenario: Scenario, random: Random, label: string): Playing
}

/** Somebody who plays a scenario, until the end of it or of the process. */
export interface Playing {
  readonly ended: Promise<Played>
  /** Resolves when a time is waited for that is far off, which may never come for this process. */
  readonly setAside: Promise<void>
  /** True while a time or workers are waited for. */
  isWaiting(): boolean
  /** The time that is waited for, in milliseconds; null where workers are. */
  until(): number | null
}

export interface StreetOptions {
  readonly task: Task
  readonly rindle: ScenarioRindle
  readonly ctx: RindleContext
  readonly handler: Handler
  readonly ports: Ports
  /** The same app once more. */
  another(): ScenarioRindle
  /** The app was told of these rows, and they are committed. */
  told(ids: readonly string[]): void
}

const pausesMs = [20, 100, 300, 1_000, 2_000, 4_000, 8_000]
/** An app that is told to try again does so for that long: a transaction that is held open for seconds meets many outages. */
const patienceMs = 300_000
/** Who waits for longer than that lets others play. */
const farOffMs = 2_000
/** Workers have to be done with what they can do by then, nights included. */
const settleMs = 240_000
const lookEveryMs = 100

export const openStreet = ({ task, rindle, ctx, handler, ports, another, told: tell }: StreetOptions): Street => {
  const bucket = adapterOf(task.store)
  const pool = new pg.Pool({ connectionString: task.database, max: 4 })
  pool.on('error', () => undefined)

  const client = async (request: Sendable, body: Bytes | null): Promise<ClientAnswer | null> => {
    for (const ms of pausesMs) {
      try {
        if (isNowhere(request.url)) return null
        if (!request.url.startsWith(`${ctx.baseUrl}/`)) return await sendByFetch({ ...request, body })
        const answer = await as(`door ${request.method}`, () =>
          handler(new Request(request.url, { method: request.method, headers: { ...request.headers }, body })),
        )
        const bytes = new Uint8Array(await answer.arrayBuffer())
        if (answer.status < 500) return { status: answer.status, headers: Object.fromEntries(answer.headers.entries()), body: bytes }
      } catch (err) {
        if (!(err instanceof TypeError)) throw err
      }
      await pause(ms)
    }
    return null
  }

  const transaction = async <T>(end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T> => {
    const tx = await heard(pool)
    try {
      await tx.query('begin')
      const result = await run(tx)
      await ports.touch(`${end} of the app's own`, () => tx.query(end))
      tx.off('error', unheard)
      tx.release()
      return result
    } catch (err) {
      await tx.query('rollback').catch(() => undefined)
      tx.release(true)
      throw err
    }
  }

  /** Where a ticket writes to, of its address without the host: the tickets of our own door are sealed. */
  const keyAt = (path: string): string => {
    if (task.store.kind === 's3') return path.replace(`${task.store.bucket}/`, '')
    const token = /^media\/.*?([^/]+)$/.exec(path)?.[1]
    return token ? openTicket(ctx.keys, 'put', token, new Date(0)).key : path
  }

  const worldOf = (random: Random, label: string, breach: (text: string) => void): Stand => {
    const ids = new Set<string>()
    const waits = createWaits()
    const strange = (err: unknown): void => {
      if (!isRindleError(err) && !isOfServer(err)) breach(`an app was thrown what is no RindleError: ${told(err)}`)
    }
    const repeated = async <T>(run: () => Promise<T>, meant: (err: unknown) => T | null): Promise<T> => {
      const began = performance.now()
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await run()
        } catch (err) {
          strange(err)
          const answer = meant(err)
          if (answer !== null) return answer
          const isWorthRepeating = isOfServer(err) || (isRindleError(err) && err.retryable)
          if (!isWorthRepeating || performance.now() - began > patienceMs) throw err
          await pause(pausesMs[Math.min(attempt, pausesMs.length - 1)])
        }
      }
    }
    const note = (found: unknown): void => {
      const fresh = idsIn(found, 0).filter((id) => !ids.has(id))
      for (const id of fresh) ids.add(id)
      if (fresh.length > 0) tell(fresh)
    }
    const busy = async (): Promise<unknown> => {
      const found = await pool.query(busyOf, [[...ids], ctx.clock.now()]).catch(() => null)
      return found?.rows[0]?.busy
    }
    const world: World = {
      ...{ ctx, random, label, undisturbed: false, transaction, another },
      rindle: watched(rindle, note),
      call: (run) => repeated(run, () => null),
      async refused(codes, run) {
        const code = await repeated(
          async () => {
            await run()
            return 'nothing'
          },
          (err) => (isRindleError(err) && codes.includes(err.code) ? err.code : null),
        )
        if (code === 'nothing') breach(`nothing was refused with ${codes.join(' or ')}`)
        return code
      },
      async send(signed, bytes) {
        const answer = await client(signed, bytes)
        return answer !== null && ((answer.status >= 200 && answer.status < 300) || answer.status === 412)
      },
      async fetch(url) {
        const answer = await client({ method: 'GET', url, headers: {} }, null)
        return answer?.status === 200 ? answer.body : null
      },
      async intrude(path, bytes) {
        const key = keyAt(path)
        await bucket.delete(key)
        // Who is just deleting there may win.
        await bucket.put(key, new Blob([bytes]).stream(), { contentType: 'image/png', sizeBytes: bytes.byteLength }).catch(() => undefined)
      },
      settle: () =>
        waits.during(null, async () => {
          const began = performance.now()
          while ((await busy()) !== 0) {
            if (performance.now() - began > settleMs) return breach(`workers were not done with it in ${settleMs / 1000} s`)
            await pause(lookEveryMs)
          }
        }),
      pass(seconds) {
        const until = ctx.clock.now().getTime() + seconds * 1000
        return waits.during(until, async () => {
          while (ctx.clock.now().getTime() < until) await pause(Math.min(lookEveryMs, (seconds * 1000) / task.factor))
        })
      },
      expect: (holds, text) => void (holds || breach(text)),
    }
    return { world, ids, waits }
  }

  return {
    play(scenario, random, label) {
      const breaches: string[] = []
      const breach = (text: string): void => void breaches.push(`${label}: ${text}`)
      const { world, ids, waits } = worldOf(random, label, breach)
      const ended = async (): Promise<Played> => {
        await scenario.play(world).catch((err: unknown) => breach(`it broke off: ${told(err)}`))
        if (breaches.length === 0) return { breaches, lost: [] }
        return {
          breaches,
          lost: await world.call(() => lostOf(async (text, values) => (await pool.query(text, [...values])).rows, [...ids])),
        }
      }
      return { ended: ended(), setAside: waits.isFarOff, isWaiting: waits.isWaiting, until: waits.until }
    },
  }
}

interface Stand {
  readonly world: World
  /** Of rows that the app was told about, and that are committed. */
  readonly ids: ReadonlySet<string>
  readonly waits: ReturnType<typeof createWaits>
}

/** What one playing waits for: usually one thing at a time. */
const createWaits = () => {
  const waits = new Set<{ readonly until: number | null }>()
  const { promise: isFarOff, resolve: setAside } = Promise.withResolvers<void>()
  return {
    isFarOff,
    isWaiting: (): boolean => waits.size > 0,
    until: (): number | null => earliest([...waits].map(({ until }) => until)),
    async during(until: number | null, wait: () => Promise<void>): Promise<void> {
      const one = { until }
      waits.add(one)
      const far = setTimeout(setAside, farOffMs)
      await wait()
      clearTimeout(far)
      waits.delete(one)
    },
  }
}

/** Null where there is none. */
export const earliest = (times: readonly (number | null)[]): number | null =>
  times.reduce((one, other) => (one === null ? other : Math.min(one, other ?? one)), null)

/** A connection that is listened to from the moment on in which it is taken: a server may go with its welcome. */
const heard = (pool: pg.Pool): Promise<pg.PoolClient> =>
  new Promise((resolve, reject) => {
    pool.connect((err, tx) => {
      if (!tx) return reject(err)
      tx.on('error', unheard)
      resolve(tx)
    })
  })

/** The next statement says the same. */
const unheard = (): void => undefined

/** What the driver says of a server that went away in the app's own transaction. */
const isOfServer = (err: unknown): boolean => err instanceof Error && !isRindleError(err) && !(err instanceof TypeError)

/** Somewhere that is nowhere: what a scenario sends to when it was given no ticket. */
const isNowhere = (url: string): boolean => new URL(url).hostname.endsWith('.test')

/** The app, with its calls named for the points below them, and with an ear for what it answers. */
const watched = (rindle: ScenarioRindle, note: (found: unknown) => void): ScenarioRindle =>
  new Proxy(rindle, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...given: readonly unknown[]): unknown => {
        const answer: unknown = as(flowOf[String(name)] ?? String(name), () => Reflect.apply(method, target, given))
        if (answer instanceof Promise && !isInTheirs(given)) answer.then(note).catch(() => undefined)
        return answer
      }
    },
  })

/** Two names of one flow. */
const flowOf: Readonly<Record<string, string>> = { verifyUpload: 'verifyCompletion', storeVariant: 'store' }

/** What is told in the app's own transaction may be undone. */
const isInTheirs = (given: readonly unknown[]): boolean => given.some((one) => typeof one === 'object' && one !== null && 'tx' in one)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

const idsIn = (found: unknown, depth: number): readonly string[] => {
  if (typeof found === 'string') return uuid.test(found) ? [found] : []
  if (typeof found !== 'object' || found === null || depth > 3) return []
  return Object.values(found).flatMap((value) => idsIn(value, depth + 1))
}

/** What workers have to do now for these assets. */
const busyOf = `
  select (select count(*) from rindle.media_assets where id = any($1::uuid[])
             and state in ('validating', 'analyzing', 'promoting', 'processing', 'transcoding'))::int
       + (select count(*) from rindle.media_variants where asset_id = any($1::uuid[]) and state in ('planned', 'queued', 'processing'))::int
       + (select count(*) from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id
           where t.asset_id = any($1::uuid[]) and t.due_at is not null
             and (t.standing <> 'released' or not (a.state = 'quarantined' and t.due_at = a.due_at)))::int
       + (select count(*) from rindle.media_objects where asset_id = any($1::uuid[]) and state = 'doomed'
             and role not in ('staging', 'unmanaged') and due_at < $2::timestamptz + interval '2 minutes')::int as busy`
