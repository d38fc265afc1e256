import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import pg from 'pg'
import { queueMigrations } from '../../src/adapters/queue/install.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { grantTo, migrate } from '../../src/database/migrate.ts'
import { openDatabase } from '../../src/database/open.ts'
import { createRindle, defineProfile } from '../../src/index.ts'
import { createDatabase, hasPostgres, type PostgresServer, startPostgres, type TestDatabase } from '../services/postgres.ts'
import { run, start } from './fixtures/command-line.ts'

const here = (file: string): string => new URL(file, import.meta.url).href
const role = 'an_operators_app'
const secret = 'hunter2'

describe('an operator at five on a Friday', { skip: hasPostgres() ? false : 'PostgreSQL is not installed' }, () => {
  let server: PostgresServer
  let database: TestDatabase
  let folder: string
  let objects: string
  let owner: pg.Pool
  let assetId: string
  let address: string

  before(async () => {
    server = await startPostgres({ own: true })
    database = await createDatabase(server)
    owner = new pg.Pool({ connectionString: database.url, max: 2 })
    owner.on('error', () => {})
    await owner.query(`create role ${role} login password '${secret}'`)
    const db = openDatabase(database.url)
    await migrate(db, { queue: queueMigrations })
    await grantTo(db, role, { queue: queueMigrations })
    await db.close()
    folder = mkdtempSync(join(tmpdir(), 'rindle-operator-'))
    objects = join(folder, 'objects')
    const url = new URL(database.urlAs(role))
    url.password = secret
    address = url.href
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', rindle: { app: 'app.ts' } }))
    appAt(address)

    const storage = local({ directory: objects })
    const note = defineProfile({ kind: 'file', storage, allowMime: ['text/plain'], maxBytes: 1000 })
    const rindle = createRindle({ profiles: { note }, database: database.url, secrets: ['a secret of the tests that is long enough'] })
    const worker = rindle.work()
    for (let index = 0; index < 8; index += 1) {
      const { id } = await rindle.upload('note', Buffer.from(`note ${index}`), { filename: `${index}.txt` })
      await rindle.settled(id)
      assetId = id
    }
    await worker.stop()
    await rindle.close()
  })
  after(async () => {
    await owner.end()
    await database.drop()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Decoders are not what is out of order here, and take their time to start. */
  const appAt = (url: string, file = 'app.ts', storage = `local({ directory: ${JSON.stringify(objects)} })`): void =>
    writeFileSync(
      join(folder, file),
      `import { local } from '${here('../../src/adapters/storage/local.ts')}'
       import { defineProfile } from '${here('../../src/index.ts')}'
       import { createTestRindle } from '${here('../../src/rindle.ts')}'
       import { createPlainJail } from '${here('fixtures/plain-jail.ts')}'
       const note = defineProfile({ kind: 'file', storage: ${storage}, allowMime: ['text/plain'], maxBytes: 1000 })
       const secrets = ['a secret of the tests that is long enough']
       const given = { profiles: { note }, database: '${url}', secrets, baseUrl: 'https://app.test' }
       export const rindle = createTestRindle(given, { jail: createPlainJail() })`,
    )
  const rindle = (...args: string[]) => run(args, folder)
  /** What doctor finds wrong: names of checks, with subjects, and all that it printed. */
  const wrong = async (file = 'app.ts') => {
    const { code, out, err } = await rindle('doctor', '--quiet', '--app', file)
    const checks = [...out.matchAll(/^problem {2}([a-z-]+)(?: \(([^)]*)\))?: /gm)].map(([, check, subject]) => [check, subject ?? null])
    assert.doesNotMatch(out + err, new RegExp(secret))
    assert.equal(code, checks.length > 0 ? 1 : 0, out + err)
    return { checks, out }
  }
  const meanwhile = async (change: string, undo: string, look: () => Promise<void>): Promise<void> => {
    await owner.query(change)
    try {
      await look()
    } finally {
      await owner.query(undo)
    }
  }

  it('finds nothing wrong where nothing is', async () => {
    assert.deepEqual((await wrong()).checks, [])
    const asked = await rindle('doctor', '--invariants')
    assert.equal(asked.code, 0, asked.err)
    assert.match(asked.out, /^17 of 19 invariants asked, not uploads-known, quiet: /)
  })

  it('is told of a disk that is not mounted, and which asset is missing', async () => {
    const away = `${objects}-away`
    renameSync(objects, away)
    mkdirSync(objects)
    try {
      const { checks, out } = await wrong()
      assert.deepEqual(checks, [['objects', `local:${objects}`]])
      assert.match(out, new RegExp(`holds none of the 6 objects .*the newest is the original of asset ${assetId}, stored at 20`))
      assert.match(out, /Look whether its disk is mounted/)
      const lost = await rindle('doctor', '--invariants', '--bytes', 'none')
      assert.equal(lost.code, 1)
      const where = `object [0-9a-f-]{36}, of asset ${assetId}: an original that is not in storage\\n +at sealed/${assetId}/\\S+ in local:${objects}`
      assert.match(lost.out, new RegExp(where))
      assert.match(lost.out, /rindle\.detach\(owner, slot\)[^\n]*rindle\.purge\(assetId\)/)
    } finally {
      rmSync(objects, { recursive: true })
      renameSync(away, objects)
    }
  })

  it('is told of files that were written while the disk was not mounted', async () => {
    const { rows } = await owner.query(
      `select key from rindle.media_objects where state = 'present' and role = 'original' order by id limit 1`,
    )
    const path = join(objects, String(rows[0].key))
    renameSync(path, `${path}-away`)
    try {
      const { checks, out } = await wrong()
      assert.deepEqual(checks, [['objects', `local:${objects}`]])
      assert.match(out, /1 of the 6 objects that were looked for is not there, or not whole/)
      assert.match(out, /`rindle doctor --invariants --bytes none` names every object/)
    } finally {
      renameSync(`${path}-away`, path)
    }
  })

  it('is told which right was taken from the role, by every command, and how to give it back', async () => {
    const table = 'rindle.media_objects'
    await meanwhile(`revoke select on ${table} from ${role}`, `grant select on ${table} to ${role}`, async () => {
      const { checks, out } = await wrong()
      assert.deepEqual(checks, [['rights', table]])
      assert.match(out, /The role may not select\.\n.*`rindle migrate --grant-to ROLE`/)
      const asked = await rindle('doctor', '--invariants')
      assert.equal(asked.code, 78)
      assert.equal(
        asked.err,
        'rindle doctor: The database refused: permission denied for table media_objects. Check the address, the role and its password; ' +
          'a role that owns nothing gets its rights by `rindle migrate --grant-to ROLE`.\n',
      )
    })
    await meanwhile(`revoke update on ${table} from ${role}`, `grant update on ${table} to ${role}`, async () => {
      assert.deepEqual((await wrong()).checks, [['rights', table]])
    })
    for (const schema of ['rindle', 'rindle_queue'])
      await meanwhile(`revoke usage on schema ${schema} from ${role}`, `grant usage on schema ${schema} to ${role}`, async () => {
        assert.deepEqual((await wrong()).checks, [['schema', null]])
        const refused = await rindle('quarantine', '--json')
        assert.deepEqual([refused.code, JSON.parse(refused.out).error.code], [78, 'database_refused'])
      })
  })

  it('is told of a server that can only be read', async () => {
    const setting = 'default_transaction_read_only'
    await meanwhile(`alter role ${role} set ${setting} = on`, `alter role ${role} reset ${setting}`, async () => {
      const { checks, out } = await wrong()
      assert.deepEqual(checks, [['rights', null]])
      assert.match(out, /can only be read: it is a standby/)
      const refused = await rindle('release', assetId, '--actor', 'Anna', '--reason', 'x')
      assert.equal(refused.code, 78)
      assert.match(refused.err, /^rindle release: The database refused: .*read-only transaction/)
      assert.doesNotMatch(refused.err, /\n +at /)
    })
  })

  it('is told in a sentence of statements whose time was up, and to come again', async () => {
    const slow = `begin;
      alter role ${role} set statement_timeout = '200ms';
      alter table rindle.media_assets rename to media_assets_there;
      create view rindle.media_assets as select a.* from rindle.media_assets_there a, lateral (select pg_sleep(1) offset 0) s;
      grant select on rindle.media_assets to ${role};
      commit`
    const swift = `begin;
      alter role ${role} reset statement_timeout;
      drop view rindle.media_assets;
      alter table rindle.media_assets_there rename to media_assets;
      commit`
    await meanwhile(slow, swift, async () => {
      const asked = await rindle('doctor', '--invariants')
      assert.equal(asked.code, 75, asked.err)
      assert.match(
        asked.err,
        /^rindle doctor: The database ended a statement before it was through: .*statement timeout\. Try again; .*statement_timeout/,
      )
      assert.doesNotMatch(asked.err, /\n +at |because/)
      const { checks, out } = await wrong()
      assert.deepEqual(checks, [['names', null]])
      assert.match(out, /ended a statement before it was through: .*statement timeout\.\n.*alter role/)
    })
  })

  it('is told in a sentence of a table that is not there, once', async () => {
    const [from, to] = ['media_variants', 'media_variants_gone']
    await meanwhile(`alter table rindle.${from} rename to ${to}`, `alter table rindle.${to} rename to ${from}`, async () => {
      const { out } = await wrong()
      assert.equal(out.match(/relation "rindle.media_variants" does not exist/g)?.length, 1)
      const asked = await rindle('doctor', '--invariants')
      assert.equal(asked.code, 70)
      assert.match(asked.err, /^rindle doctor: The database said no: relation .* does not exist \(SQLSTATE 42P01\)\.\n {2}Correct this/)
    })
  })

  it('is told why the database does not answer, without what its address holds', async () => {
    const elsewhere = (change: (url: URL) => void): string => {
      const url = new URL(address)
      change(url)
      appAt(url.href, 'elsewhere.ts')
      return 'elsewhere.ts'
    }
    for (const [change, said] of [
      [(url) => (url.port = '1'), 'The database did not answer: nothing listens at the host and port of its address.'],
      [(url) => (url.pathname = '/nodb'), 'The database refused: database "nodb" does not exist.'],
      [(url) => (url.username = 'nobody_here'), 'The database refused: role "nobody_here" does not exist.'],
    ] satisfies [(url: URL) => unknown, string][]) {
      const { checks, out } = await wrong(elsewhere(change))
      assert.deepEqual(checks, [['database', null]])
      assert.ok(out.startsWith(`problem  database: ${said}\n`), out)
      assert.doesNotMatch(out, /127\.0\.0\.1/)
    }
    const silent = await rindle(
      'quarantine',
      '--app',
      elsewhere((url) => (url.port = '1')),
    )
    assert.equal(silent.code, 75)
    assert.match(silent.err, /did not answer[^]*because: connect ECONNREFUSED[^]*`rindle doctor` looks at database/)
    assert.equal(silent.err.match(/ECONNREFUSED/g)?.length, 1)
  })

  it('hears each check as it ends, and on Ctrl-C what was found until then', async () => {
    // It takes connections and never answers.
    const mute = createServer(() => {}).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const place = mute.address()
    const storage = `{ ...local({ directory: ${JSON.stringify(objects)} }), head: () => (process.stderr.write('asked'), new Promise(() => {})) }`
    try {
      appAt(address, 'mute.ts', storage)
      for (const json of [false, true]) {
        const { child, said, ended } = start(['doctor', '--app', 'mute.ts', ...(json ? ['--json'] : [])], folder)
        while (!said.err.includes('asked')) await once(child.stderr, 'data')
        if (json) assert.equal(said.out, '')
        else assert.match(said.out, /^ok {7}database: [^]*\nok {7}base-url: /)
        child.kill('SIGINT')
        const { code, out } = await ended
        assert.equal(code, 75, out)
        if (json) assert.deepEqual([JSON.parse(out).stopped, JSON.parse(out).ok], [true, false])
        else assert.match(out, /\n\d looked at when it was stopped, and not all: 0 problems, 0 warnings\.\n$/)
      }
      const port = typeof place === 'object' ? String(place?.port) : ''
      appAt(`postgres://nobody:${secret}@127.0.0.1:${port}/nothing`, 'mute.ts')
      const { child, ended } = start(['doctor', '--invariants', '--app', 'mute.ts'], folder)
      await once(mute, 'connection')
      child.kill('SIGTERM')
      const { code, out } = await ended
      assert.deepEqual([code, out], [75, 'Stopped: nothing was asked, as the database had not answered.\n'])
    } finally {
      mute.close()
    }
  })
})
