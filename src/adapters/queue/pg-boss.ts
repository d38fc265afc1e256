import { AsyncLocalStorage } from 'node:async_hooks'
import type { PgBoss } from 'pg-boss'
import { RindleError } from '../../core/errors.ts'
import type { JobName } from '../../core/jobs.ts'
import type { JobRequest, QueuedJob, Queue } from '../../core/ports/queue.ts'
import type { Database } from '../../database/database.ts'
import { executorOf } from '../../database/queryable.ts'
import { catchInsertion, createBoss, overOurs, queueNames, queueSchema, queueSchemaVersion } from './boss.ts'

const channel = 'rindle_jobs'
const quietMs = 20
const abandonedHours = 24
const abandonedLimit = 1_000
const abandonedJobs = `delete from ${queueSchema}.job t
  using (select j.name, j.id from ${queueSchema}.job j
          where j.state = 'active' and j.started_on < ${queueSchema}.job_now() - make_interval(hours => $1::int)
          limit $2::int for update skip locked) d
 where t.name = d.name and t.id = d.id`

/** One that is put off for later does not count: what is due now would have to wait for it. */
const waitingJobs = `select distinct j.data->>'id' as id from ${queueSchema}.job j
 where j.name = $1::text and j.state < 'active' and j.start_after <= ${queueSchema}.job_now() and j.data->>'id' = any($2::text[])`

/**
 * Carries wake-ups through pg-boss in the same database, over the same connections. A finished job's row is deleted at once: what was
 * done stands in media_processing_runs and state_moves, so finished jobs never pile up.
 */
export function createQueue({ database }: { readonly database: Database }): Queue {
  let boss: PgBoss | null = null
  let insertText: string | null = null
  const bell = createBell(database)

  const opened = (): PgBoss => {
    if (!boss) throw new RindleError('rindle_closed', {})
    return boss
  }

  return {
    insertion(jobs) {
      if (insertText === null) throw new RindleError('rindle_closed', {})
      return { text: insertText, values: [JSON.stringify(jobs.map(inserted))] }
    },
    notify: (jobs) => bell.ring(jobs?.map(({ name }) => name) ?? queueNames),
    async fetch(name, limit) {
      const rows = await opened().fetch<{ id: string }>(name, { batchSize: limit, includeMetadata: true })
      return rows.map((row) => ({ name, jobId: row.id, id: row.data.id, since: new Date(row.startAfter) }))
    },
    async waiting(name, ids) {
      const { rows } = await executorOf(database.pool).execute(waitingJobs, [name, ids])
      return new Set(rows.map(({ id }) => String(id)))
    },
    async complete(jobs) {
      for (const [name, ids] of byName(jobs)) await opened().deleteJob(name, ids)
    },
    async tidy() {
      await executorOf(database.pool).execute(abandonedJobs, [abandonedHours, abandonedLimit])
    },
    listen: (wake) => database.listen(channel, (payload) => wake(queueNames.filter((name) => payload.split(',').includes(name)))),
    async open() {
      if (boss) return
      insertText ??= await catchInsertion()
      const candidate = createBoss(overOurs(database.pool))
      await checkInstalled(candidate)
      await candidate.start()
      boss = candidate
    },
    async close() {
      bell.close()
      await boss?.stop({ graceful: false })
      boss = null
    },
  }
}

const inserted = ({ name, id, delaySeconds }: JobRequest): object => ({ data: { job: name, id }, startAfter: delaySeconds ?? 0 })

const byName = (jobs: readonly QueuedJob[]): Map<JobName, string[]> => {
  const groups = new Map<JobName, string[]>()
  for (const { name, jobId } of jobs) groups.set(name, [...(groups.get(name) ?? []), jobId])
  return groups
}

/** @throws RindleError `schema_version_mismatch` */
async function checkInstalled(boss: PgBoss): Promise<void> {
  const expected = `queue ${queueSchemaVersion()}`
  if (!(await boss.isInstalled())) throw new RindleError('schema_version_mismatch', { found: 'without a queue', expected })
  const found = await boss.schemaVersion()
  if (found !== queueSchemaVersion()) {
    const newer = (found ?? 0) > queueSchemaVersion() ? { newer: true as const } : {}
    throw new RindleError('schema_version_mismatch', { found: `queue ${found}`, expected, ...newer })
  }
  const there = new Set((await boss.getQueues()).map(({ name }) => name))
  const missing = queueNames.filter((name) => !there.has(name))
  if (missing.length > 0) throw new RindleError('schema_version_mismatch', { found: `without the queue ${missing.join(', ')}`, expected })
}

interface Bell {
  ring(names: readonly JobName[]): void
  close(): void
}

/** Notifies at once, then at most once in 20 ms; what is rung in between is not lost but sent when the 20 ms are over. */
function createBell(database: Database): Bell {
  const outside = AsyncLocalStorage.snapshot()
  const names = new Set<JobName>()
  let timer: NodeJS.Timeout | null = null

  const send = (): void => {
    const payload = [...names].join(',')
    names.clear()
    outside(() => {
      database.notify(channel, payload).catch(() => undefined)
      timer = setTimeout(() => {
        timer = null
        if (names.size > 0) send()
      }, quietMs)
    })
  }

  return {
    ring(rung) {
      for (const name of rung) names.add(name)
      if (!timer && names.size > 0) send()
    },
    close() {
      if (timer) clearTimeout(timer)
      timer = null
      names.clear()
    },
  }
}
