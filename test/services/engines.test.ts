import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openDatabase } from '../../src/database/open.ts'
import { checkSchemaVersion } from '../../src/database/migrate.ts'
import { type EngineDatabase, engines } from './engines.ts'

for (const engine of engines) {
  describe(`a database on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    before(async () => {
      database = await engine.open()
    })
    after(() => database.close())

    it('is migrated and can be used at once', async () => {
      const db = openDatabase(database.given)
      await db.open()
      await checkSchemaVersion(db.pool)
      await db.close()
    })

    it('is emptied between tests', async () => {
      const insert = `insert into rindle.media_objects (id, store, key, role, state, asset_id, inserted_at, state_changed_at)
        select gen_random_uuid(), 's', 'k', 'staging', 'x', gen_random_uuid(), now(), now() where false returning id`
      await database.query(insert)
      await database.query(`insert into rindle_queue.job (name, data) select name, '{}' from rindle_queue.queue limit 1`)
      await database.empty()
      assert.deepEqual(await database.query('select 1 from rindle_queue.job'), [])
      assert.equal((await database.query('select 1 from rindle.schema_versions')).length > 0, true)
    })

    it('can be had without the migrations', async () => {
      const bare = await engine.open({ migrated: false })
      assert.deepEqual(await bare.query(`select 1 from pg_namespace where nspname in ('rindle', 'rindle_queue')`), [])
      await bare.close()
    })
  })
}

describe('the role that owns nothing', () => {
  it('may write rows and no table', { skip: engines.find(({ name }) => name === 'postgres-runtime-role')?.skip ?? false }, async () => {
    const engine = engines.find(({ name }) => name === 'postgres-runtime-role')
    assert.ok(engine)
    const database = await engine.open()
    const db = openDatabase(database.given)
    await db.open()
    await assert.rejects(db.script('create table rindle.mine (id int)'))
    await assert.rejects(db.script('drop table rindle.media_assets'))
    await db.close()
    await database.close()
  })
})
