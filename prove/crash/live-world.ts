import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { RindleContext } from '../../src/context.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { Handler } from '../../src/doors/http/index.ts'
import { type ClientAnswer, sendByFetch } from '../../src/testing/client-request.ts'
import type { Random } from '../harness.ts'
import type { ScenarioRindle } from '../scenarios/app.ts'
import type { Bytes, Scenario, Sendable, World } from '../scenarios/scenario.ts'
import { told } from '../scenarios/stage.ts'
import { adapterOf, type Task } from './app.ts'
import { as, type Ports } from './ports.ts'

export interface Street {
  /** @returns the promises that were broken. What has to wait for long is left to the night, and judged by the invariants then. */
  play(scenario: Scenario, random: Random, label: string): Promise<Played>
}

export interface Played {
  readonly how: 'ended' | 'left to the night'
  readonly breaches: readonly string[]
  /** Of rows that the app was told about, and that are committed. */
  readonly ids: readonly string[]
}

export interface StreetOptions {
  readonly task: Task
  readonly rindle: ScenarioRindle
  readonly ctx: RindleContext
  readonly handler: Handler
  readonly ports: Ports
}

const pausesMs = [20, 100, 300, 1_000, 2_000, 4_000, 8_000, 8_000]
/** Nobody plays for longer than that at a stretch. */
const longestPassMs = 10_000
const settleMs = 45_000
const lookEveryMs = 100

class LeftToTheNight extends Error {}

export const openStreet = ({ task, rindle, ctx, handler, ports }: StreetOptions): Street => {
  const bucket = adapterOf(task.store)
  const pool = new pg.Pool({ connectionString: task.database, max: 4 })
  pool.on('error', () => undefined)

  const client = async (request: Sendable, body: Bytes | null): Promise<ClientAnswer | null> => {
    for (const ms of pausesMs) {
      try {
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
    const tx = await pool.connect()
    try {
      await tx.query('begin')
      const result = await run(tx)
      await ports.touch(`${end} of the app's own`, () => tx.query(end))
      tx.release()
      return result
    } catch (err) {
      await tx.query('rollback').catch(() => undefined)
      tx.release(true)
      throw err
    }
  }

  const worldOf = (random: Random, label: string, breach: (text: string) => void): { readonly world: World; readonly ids: Set<string> } => {
    const ids = new Set<string>()
    const isWorthRepeating = (err: unknown): boolean => isRindleError(err) && err.retryable
    const strange = (err: unknown): void => {
      if (!isRindleError(err) && !isOfServer(err)) breach(`an app was thrown what is no RindleError: ${told(err)}`)
    }
    const repeated = async <T>(run: () => Promise<T>, meant: (err: unknown) => T | null): Promise<T> => {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await run()
        } catch (err) {
          strange(err)
          const answer = meant(err)
          if (answer !== null) return answer
          const ms = pausesMs[attempt]
          if (ms === undefined && isWorthRepeating(err)) throw new LeftToTheNight()
          if (ms === undefined || !(isWorthRepeating(err) || isOfServer(err))) throw err
          await pause(ms)
        }
      }
    }
    const world: World = {
      ...{ ctx, random, label, undisturbed: false, transaction },
      rindle: watched(rindle, ids),
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
      async intrude(key, bytes) {
        await bucket.delete(key)
        await bucket.put(key, new Blob([bytes]).stream(), { contentType: 'image/png', sizeBytes: bytes.byteLength })
      },
      another: () => {
        throw new TypeError('no other app is opened here')
      },
      async settle() {
        for (const began = performance.now(); performance.now() - began < settleMs; await pause(lookEveryMs)) {
          const found = await pool.query(busyOf, [[...ids], ctx.clock.now()]).catch(() => null)
          if (found?.rows[0]?.busy === 0) return
        }
        throw new LeftToTheNight()
      },
      async pass(seconds) {
        const ms = (seconds / task.factor) * 1000
        if (ms > longestPassMs) throw new LeftToTheNight()
        await pause(ms)
      },
      expect: (holds, text) => void (holds || breach(text)),
    }
    return { world, ids }
  }

  return {
    async play(scenario, random, label) {
      const breaches: string[] = []
      const breach = (text: string): void => void breaches.push(`${label}: ${text}`)
      const { world, ids } = worldOf(random, label, breach)
      const how = await scenario.play(world).then(
        () => 'ended' as const,
        (err: unknown) => {
          const isLeft = err instanceof LeftToTheNight || (isRindleError(err) && err.retryable)
          if (!isLeft) breach(`it broke off: ${told(err)}`)
          return 'left to the night' as const
        },
      )
      const known = [...ids]
      if (breaches.length === 0) return { how, breaches, ids: known }
      const { rows } = await pool.query(lostOf, [known]).catch(() => ({ rows: [] }))
      return { how, breaches: rows[0]?.lost > 0 ? [] : breaches, ids: known }
    },
  }
}

/** What the driver says of a server that went away in the app's own transaction. */
const isOfServer = (err: unknown): boolean => err instanceof Error && !isRindleError(err) && !(err instanceof TypeError)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The app, with its calls named for the points below them, and with an eye on the rows that they speak of. */
const watched = (rindle: ScenarioRindle, ids: Set<string>): ScenarioRindle =>
  new Proxy(rindle, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return (...given: readonly unknown[]): unknown => {
        const answer: unknown = as(flowOf[String(name)] ?? String(name), () => Reflect.apply(method, target, given))
        if (answer instanceof Promise && !isInTheirs(given)) answer.then((found: unknown) => note(found, ids, 0)).catch(() => undefined)
        return answer
      }
    },
  })

/** Two names of one flow. */
const flowOf: Readonly<Record<string, string>> = { verifyUpload: 'verifyCompletion', storeVariant: 'store' }

/** What is told in the app's own transaction may be undone. */
const isInTheirs = (given: readonly unknown[]): boolean => given.some((one) => typeof one === 'object' && one !== null && 'tx' in one)

const note = (found: unknown, ids: Set<string>, depth: number): void => {
  if (typeof found === 'string' && uuid.test(found)) ids.add(found)
  if (typeof found !== 'object' || found === null || depth > 3) return
  for (const value of Object.values(found)) note(value, ids, depth + 1)
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

/** Files that took so many workers with them that they are held back: that it was not their fault nobody can know. */
const lostOf = `select count(*)::int as lost from rindle.media_assets a where a.id = any($1::uuid[]) and (a.error_code = 'worker_lost'
    or exists (select from rindle.media_variants v where v.asset_id = a.id and v.error_code = 'worker_lost'))`
