import { type Clock, type ConstructorOptions, getConstructionPlans, PgBoss } from 'pg-boss'
import { jobCatalog, type JobName } from '../../core/jobs.ts'
import type { Queryable } from '../../database/database.ts'
import { executorOf } from '../../database/queryable.ts'

type BossExecutor = NonNullable<ConstructorOptions['db']>

/** Where pg-boss lives: a schema of its own in the same database. */
export const queueSchema = 'rindle_queue'

/** The version of that schema that the installed pg-boss works with. */
export const queueSchemaVersion = (): number =>
  Number(/INSERT INTO \S+\.version\(version\) VALUES \('(\d+)'\)/.exec(getConstructionPlans(queueSchema))?.[1])

/** How every queue is made. The row is the promise and its lease the patience, so the queue neither retries nor expires by itself. */
export const queueOptions = {
  policy: 'standard',
  retryLimit: 0,
  expireInSeconds: 86_400,
  retentionSeconds: 1_209_600,
  deleteAfterSeconds: 86_400,
} as const

export const queueNames = Object.keys(jobCatalog) as readonly JobName[]

/** pg-boss over our own connection: no pool, no timers, no maintenance, no DDL of its own. */
export const createBoss = (db: BossExecutor): PgBoss => {
  const boss = new PgBoss({
    db,
    schema: queueSchema,
    migrate: false,
    createSchema: false,
    supervise: false,
    schedule: false,
    clock: withoutTimers,
  })
  boss.on('error', () => undefined)
  return boss
}

/**
 * The text with which pg-boss itself inserts jobs, caught once through its executor: one parameter, a JSON array of jobs, whatever their
 * number and queues, so that it is the same statement every time. Each job names its queue in `data.job`.
 */
export const catchInsertion = async (): Promise<string> => {
  const anyQueue = 'rindle_any_queue'
  const caught: string[] = []
  const boss = createBoss({
    async executeSql(text) {
      if (text.includes('INSERT INTO')) caught.push(text)
      if (text.includes('version')) return { rows: [{ name: 'version', version: String(queueSchemaVersion()) }] }
      return { rows: [{ name: anyQueue, policy: 'standard', table: 'job_common', notify: false }] }
    },
  })
  await boss.start()
  await boss.insert(anyQueue, [{ data: {} }], { returnId: true })
  await boss.stop({ graceful: false })
  return (caught[0] ?? '').replaceAll(`'${anyQueue}'`, `j.data->>'job'`).trim()
}

/** Runs pg-boss's statements over our own connections. Never its scripts of several statements. */
export const overOurs = (db: Queryable): BossExecutor => ({
  async executeSql(text, values) {
    const { rows } = await executorOf(db).execute(text, values ?? [])
    return { rows: [...rows] }
  },
})

/** pg-boss wants timers only for the caches and reports that we do not use. */
const withoutTimers: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimeout: () => null,
  clearTimeout: () => undefined,
  setInterval: () => null,
  clearInterval: () => undefined,
}
