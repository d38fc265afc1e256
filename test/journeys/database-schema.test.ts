import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { queueMigrations } from '../../src/adapters/queue/install.ts'
import { assetMachine } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { type Machine, owedStates } from '../../src/core/machine.ts'
import { objectMachine } from '../../src/core/object.ts'
import { runMachine } from '../../src/core/run.ts'
import { uploadSessionMachine } from '../../src/core/upload-session.ts'
import { variantMachine } from '../../src/core/variant.ts'
import { typeOfColumn } from '../../src/database/column-types.ts'
import type { Database } from '../../src/database/database.ts'
import { checkSchemaVersion, grantTo, migrate, printMigrations, schemaVersion } from '../../src/database/migrate.ts'
import { latestVersion } from '../../src/database/migrations/index.ts'
import { openDatabase } from '../../src/database/open.ts'
import { executorOf } from '../../src/database/queryable.ts'
import { splitStatements } from '../../src/database/split-statements.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { administer, createDatabase, hasPostgres, startPostgres } from '../services/postgres.ts'

const machines: readonly Machine[] = [assetMachine, variantMachine, uploadSessionMachine, objectMachine, runMachine]
const withoutServer = hasPostgres() ? false : 'PostgreSQL is not installed'

const query = async (db: Database, text: string) => (await executorOf(db.pool).execute(text, [])).rows

/** The states that a constraint's text names. */
const namedStates = (definition: string): string[] => [...definition.matchAll(/'(\w+)'/g)].map(([, state]) => state ?? '').sort()

for (const engine of engines) {
  describe(`the schema on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let db: Database
    before(async () => {
      database = await engine.open()
      db = openDatabase(database.given)
      await db.open()
    })
    after(async () => {
      await db.close()
      await database.close()
    })

    const constraintOf = async (name: string): Promise<string | null> => {
      const rows = await query(
        db,
        `select pg_get_constraintdef(oid) as definition from pg_constraint where conname = '${name}' and connamespace = 'rindle'::regnamespace`,
      )
      return rows[0] ? String(rows[0]['definition']) : null
    }

    it('allows exactly the states of each machine', async () => {
      for (const machine of machines) {
        const definition = await constraintOf(`${machine.table}_state`)
        assert.deepEqual(namedStates(definition ?? ''), Object.keys(machine.states).sort(), machine.table)
      }
    })

    it('asks for a due date in exactly the states that are owed work', async () => {
      for (const machine of machines) {
        const owed = owedStates(machine)
        const rows = owed.length === 0 ? [] : await statesThatNeedADueDate(db, machine)
        assert.deepEqual(rows, [...owed].sort(), machine.table)
        if (owed.length === 0) assert.equal(await constraintOf(`${machine.table}_owed`), null)
      }
    })

    it('has the columns of each machine typed as the migrations are read', async () => {
      for (const machine of machines) {
        const columns = await query(
          db,
          `select attname as column, atttypid::integer as type from pg_attribute
            where attrelid = 'rindle.${machine.table}'::regclass and attnum > 0 and not attisdropped order by attname`,
        )
        assert.ok(columns.length > 9, machine.table)
        const read = columns.map(
          ({ column }) => `('${String(column)}', '${typeOfColumn(machine.table, String(column))}'::regtype::oid::integer)`,
        )
        const known = await query(
          db,
          `select c.name as column, c.type from (values ${read.join(', ')}) c (name, type) order by c.name::name`,
        )
        assert.deepEqual(known, columns, machine.table)
      }
    })

    it('has an index for every foreign key and every due date', async () => {
      const rows = await query(
        db,
        `select c.conrelid::regclass::text || '.' || a.attname as column from pg_constraint c
           join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
          where c.contype = 'f' and c.connamespace = 'rindle'::regnamespace
            and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
         union all
         select a.attrelid::regclass::text || '.due_at' from pg_attribute a join pg_class t on t.oid = a.attrelid
          where t.relnamespace = 'rindle'::regnamespace and t.relkind = 'r' and a.attname = 'due_at'
            and not exists (select from pg_index i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum)`,
      )
      assert.deepEqual(rows, [])
    })

    it('deletes nothing by cascade', async () => {
      assert.deepEqual(
        await query(
          db,
          `select conname from pg_constraint where connamespace = 'rindle'::regnamespace and contype = 'f' and confdeltype <> 'a'`,
        ),
        [],
      )
    })

    it('has nothing left to migrate, and says so without any right to', async () => {
      assert.deepEqual(await migrate(db, { queue: queueMigrations }), { applied: [], queueInstalled: false, version: latestVersion })
      await checkSchemaVersion(db.pool)
    })
  })
}

/** Tried rather than read: which states does the constraint refuse when there is no due date? */
const statesThatNeedADueDate = async (db: Database, machine: Machine): Promise<string[]> => {
  const [constraint] = await query(
    db,
    `select pg_get_expr(conbin, conrelid) as condition from pg_constraint where conname = '${machine.table}_owed' and connamespace = 'rindle'::regnamespace`,
  )
  const states = Object.keys(machine.states).map((state) => `('${state}')`)
  const rows = await query(
    db,
    `select state from (select state, null::timestamptz as due_at from (values ${states.join(', ')}) v (state)) r where not ${String(constraint?.['condition'])} order by state`,
  )
  return rows.map(({ state }) => String(state)).sort()
}

describe('migrate', { skip: withoutServer }, () => {
  const open = async () => {
    const server = await startPostgres()
    const { url, urlAs, drop } = await createDatabase(server)
    const dbs: Database[] = []
    const connect = (given = url) => {
      const db = openDatabase(given)
      dbs.push(db)
      return db
    }
    const close = async () => {
      for (const db of dbs) await db.close()
      await drop()
      await server.stop()
    }
    return { url, urlAs, connect, close }
  }

  it('is needed before anything else, and the error names the command', async () => {
    const { connect, close } = await open()
    const db = connect()
    await assert.rejects(
      checkSchemaVersion(db.pool),
      (err) => isRindleError(err) && err.code === 'schema_version_mismatch' && /rindle migrate/.test(err.message),
    )
    await migrate(db)
    await checkSchemaVersion(db.pool)
    await close()
  })

  it('does its work once when several start it together', async () => {
    const { connect, close } = await open()
    const reports = await Promise.all([1, 2, 3].map(() => migrate(connect(), { queue: queueMigrations })))
    assert.equal(reports.flatMap(({ applied }) => applied).length, latestVersion)
    assert.deepEqual([...new Set(reports.map(({ version }) => version))], [latestVersion])
    await close()
  })

  it('leaves nothing behind when it fails half-way', async () => {
    const { url, connect, close } = await open()
    const db = connect()
    await administer(url, 'create schema rindle', 'create table rindle.media_objects (id integer)')
    await assert.rejects(migrate(db))
    const rows = await query(db, `select relname from pg_class where relnamespace = 'rindle'::regnamespace and relkind = 'r'`)
    assert.deepEqual(rows, [{ relname: 'media_objects' }])
    await close()
  })

  it('refuses a database that is newer than the code', async () => {
    const { url, connect, close } = await open()
    const db = connect()
    await migrate(db)
    await administer(url, `insert into rindle.schema_versions (version, applied_at) values (${latestVersion + 1}, now())`)
    for (const attempt of [() => checkSchemaVersion(db.pool), () => migrate(db)]) {
      await assert.rejects(
        attempt,
        (err) =>
          isRindleError(err) &&
          err.code === 'schema_version_mismatch' &&
          err.details.found === `at version ${latestVersion + 1}` &&
          /: deploy the newer version/.test(err.message),
      )
    }
    await close()
  })

  it('prints what psql can run instead, with the same result', async () => {
    const columns = `select table_schema, table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
                      where table_schema in ('rindle', 'rindle_queue') order by 1, 2, ordinal_position`
    const [one, two] = [await open(), await open()]
    await migrate(one.connect(), { queue: queueMigrations })
    await administer(two.url, await printMigrations({ queue: queueMigrations }))
    const [applied, printed] = [await query(one.connect(), columns), await query(two.connect(), columns)]
    assert.ok(applied.length > 100)
    assert.deepEqual(printed, applied)
    assert.equal(await schemaVersion(two.connect().pool), latestVersion)
    assert.deepEqual((await migrate(two.connect(), { queue: queueMigrations })).applied, [])
    await one.close()
    await two.close()
  })

  it('grants a role the rows and nothing else', async () => {
    const { url, urlAs, connect, close } = await open()
    const role = `role "of" ${process.pid}`
    await administer(url, `create role "${role.replaceAll('"', '""')}" login`)
    const owner = connect()
    await migrate(owner, { queue: queueMigrations })
    const limited = connect(urlAs(encodeURIComponent(role)))
    await assert.rejects(checkSchemaVersion(limited.pool), {
      code: 'database_refused',
      message: /permission denied for schema rindle.*--grant-to/,
    })
    await grantTo(owner, role, { queue: queueMigrations })
    await checkSchemaVersion(limited.pool)
    await query(
      limited,
      `insert into rindle.state_moves (at, entity, entity_id, move, to_state) values (now(), 'asset', gen_random_uuid(), 'born', 'staged')`,
    )
    for (const refused of [
      'drop table rindle.leases',
      'alter table rindle.leases add column more integer',
      'create table rindle.more (id integer)',
      'delete from rindle.schema_versions',
    ]) {
      await assert.rejects(query(limited, refused), { code: 'database_refused', message: /permission denied|must be owner/ }, refused)
    }
    await owner.close()
    await limited.close()
    await administer(url, `drop owned by "${role.replaceAll('"', '""')}"`, `drop role "${role.replaceAll('"', '""')}"`)
    await close()
  })
})

describe('a script', () => {
  it('is split at the semicolons that end statements, and at no others', () => {
    const script = `
      -- a comment; with one
      create function f() returns text language plpgsql as $body$ begin return 'a;b'; end; $body$;
      insert into "t;u" values ('it''s; so', 1); /* none; here */
      select $$;$$ || $x$ $$;$$ $x$;
      ;
      -- the end;`
    assert.deepEqual(
      splitStatements(script).map((statement) => statement.replaceAll(/\s+/g, ' ')),
      [
        `-- a comment; with one create function f() returns text language plpgsql as $body$ begin return 'a;b'; end; $body$`,
        `insert into "t;u" values ('it''s; so', 1)`,
        `/* none; here */ select $$;$$ || $x$ $$;$$ $x$`,
      ],
    )
  })
})
