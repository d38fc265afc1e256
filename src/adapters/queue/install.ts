import { getConstructionPlans, getMigrationPlans } from 'pg-boss'
import { RindleError } from '../../core/errors.ts'
import type { JobName } from '../../core/jobs.ts'
import type { QueueMigrations } from '../../database/migrate.ts'
import { createBoss, overOurs, queueNames, queueOptions, queueSchema, queueSchemaVersion } from './boss.ts'

/**
 * The queue's part of `migrate`: its schema and every queue in it. Each script is one for the transaction of whoever owns the schema; from
 * then on no DDL is needed, and `grants` is all that another role needs to enqueue and take jobs.
 */
export const queueMigrations: QueueMigrations = {
  async installation(db) {
    const boss = createBoss(overOurs(db))
    const expected = queueSchemaVersion()
    const found = (await boss.isInstalled()) ? await boss.schemaVersion() : null
    if (found !== null && found > expected) {
      throw new RindleError('schema_version_mismatch', { found: `queue ${found}`, expected: `queue ${expected}`, newer: true })
    }
    const there = found === null ? [] : (await boss.getQueues()).map(({ name }) => name)
    const missing = queueNames.filter((name) => !there.includes(name))
    const schema = found === null ? [getConstructionPlans(queueSchema)] : found < expected ? [getMigrationPlans(queueSchema, found)] : []
    const scripts = [...schema, ...(await Promise.all(missing.map(creationOf)))]
    return scripts.length > 0 ? scripts.map(withoutTransaction).join('\n') : null
  },
  async print() {
    const scripts = [getConstructionPlans(queueSchema), ...(await Promise.all(queueNames.map(creationOf)))]
    return `begin;\n${scripts.map(withoutTransaction).join('\n')}\ncommit;`
  },
  grants: (role) =>
    [
      `grant usage on schema ${queueSchema} to ${role};`,
      `grant select on ${queueSchema}.version, ${queueSchema}.queue to ${role};`,
      `grant select, insert, update, delete on ${queueSchema}.job, ${queueSchema}.job_common to ${role};`,
    ].join('\n'),
}

/** The text with which pg-boss creates a queue, caught through its executor. */
const creationOf = async (name: JobName): Promise<string> => {
  const caught: string[] = []
  const boss = createBoss({
    async executeSql(text) {
      caught.push(text)
      return { rows: [] }
    },
  })
  await boss.createQueue(name, queueOptions)
  return caught.join('\n')
}

/** pg-boss wraps its scripts in a transaction; ours is part of the transaction of the whole migration. */
const withoutTransaction = (script: string): string =>
  script
    .trim()
    .replace(/^BEGIN;/, '')
    .replace(/COMMIT;$/, '')
    .trim()
