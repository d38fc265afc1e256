import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import pg from 'pg'
import { memory } from '../../src/adapters/storage/memory.ts'
import { openDatabase } from '../../src/database/open.ts'
import { createRindle, defineProfile, image } from '../../src/index.ts'
import { checkSchemaVersion, grantTo, migrate } from '../../src/database/migrate.ts'
import { commands } from '../../src/doors/cli/commands/index.ts'
import { exitCodes } from '../../src/doors/cli/exit-code.ts'
import { queueMigrations } from '../../src/adapters/queue/install.ts'
import { type EngineDatabase, engines, runtimeRole } from '../services/engines.ts'
import { appText, drawingAppText, type Ended, run, start } from './fixtures/command-line.ts'

describe('finding the app', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rindle-cli-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** A project of that name with those files; an app's schema is never there, which tells which app was found. */
  const project = (name: string, files: Readonly<Record<string, string>>) => {
    const place = join(folder, name)
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(place, file)), { recursive: true })
      writeFileSync(join(place, file), text)
    }
    return place
  }
  const nowhere = appText(`'postgres://nobody@127.0.0.1:1/nothing'`)
  const packageJson = (app?: string) => JSON.stringify({ type: 'module', ...(app ? { rindle: { app } } : {}) })
  const codeOf = ({ out }: Ended): unknown => JSON.parse(out).error?.code

  it('takes the file named by --app before all others', async () => {
    const place = project('named', { 'package.json': packageJson('missing.js'), 'lib/app.ts': nowhere })
    const ended = await run(['migrate', '--app', 'lib/app.ts', '--json'], place)
    assert.equal(codeOf(ended), 'database_unavailable')
    assert.equal(ended.code, 75)
  })

  it('takes the file that package.json names, from any folder below it', async () => {
    const place = project('packaged', { 'package.json': packageJson('lib/app.ts'), 'lib/app.ts': nowhere, 'deep/down/x.txt': '' })
    assert.equal(codeOf(await run(['migrate', '--json'], join(place, 'deep/down'))), 'database_unavailable')
  })

  it('takes rindle.config.ts, else rindle.config.js', async () => {
    const typed = project('typed', { 'package.json': packageJson(), 'rindle.config.ts': nowhere })
    assert.equal(codeOf(await run(['migrate', '--json'], typed)), 'database_unavailable')
    const plain = project('plain', { 'package.json': packageJson(), 'rindle.config.js': nowhere })
    assert.equal(codeOf(await run(['migrate', '--json'], plain)), 'database_unavailable')
  })

  it('says where it looked when there is none', async () => {
    const place = project('none', { 'package.json': packageJson(), 'rindle.config.ts': 'export const other = 1\n' })
    const { code, err } = await run(['migrate'], place)
    assert.equal(code, 78)
    assert.match(err, /rindle\.config\.ts \(no such export\), rindle\.config\.js \(not there\)\. Pass --app FILE/)
  })

  it('says what to do where Node does not load TypeScript', async () => {
    const place = project('old', { 'package.json': packageJson(), 'rindle.config.ts': nowhere })
    const loader = join(folder, 'no-typescript.mjs')
    writeFileSync(
      loader,
      `import { registerHooks } from 'node:module'
       registerHooks({ load(url, context, next) {
         if (url.endsWith('rindle.config.ts')) throw Object.assign(new TypeError('Unknown file extension ".ts"'), { code: 'ERR_UNKNOWN_FILE_EXTENSION' })
         return next(url, context)
       } })`,
    )
    const { code, err } = await run(['migrate'], place, ['--import', loader])
    assert.equal(code, 78)
    assert.match(err, /rindle\.config\.ts is TypeScript, which Node \S+ does not load: use Node 22\.18 or newer/)
  })

  it('says why an app could not be loaded', async () => {
    const place = project('broken', { 'package.json': packageJson(), 'rindle.config.js': 'throw new TypeError("no settings")\n' })
    const { code, err } = await run(['migrate'], place)
    assert.equal(code, 78)
    assert.match(err, /rindle\.config\.js could not be loaded: no settings[^]*\n {2}Correct it, then run `rindle migrate` again\.\n$/)
    const stranger = project('stranger', { 'package.json': packageJson(), 'rindle.config.js': 'export const rindle = { ready() {} }\n' })
    assert.match((await run(['migrate'], stranger)).err, /does not come from createRindle/)
  })

  it('refuses what it does not know, with a suggestion and an exit code of its own', async () => {
    const typo = await run(['migrat'], folder)
    assert.equal(typo.code, 64)
    assert.match(typo.err, /Did you mean migrate/)
    assert.equal((await run(['work', '--concurency', '3'], folder)).code, 64)
    const many = await run(['work', '--concurrency', 'many'], folder)
    assert.deepEqual([many.code, /--concurrency: a whole number[^]*See `rindle work --help`/.test(many.err)], [64, true], many.err)
    const none = await run(['work', '--encoders', '-1'], folder)
    assert.deepEqual([none.code, /--encoders: a whole number from 0/.test(none.err)], [64, true], none.err)
    const negative = await run(['doctor', '--invariants', '--bytes', '-1'], folder)
    assert.equal(negative.code, 64)
    assert.equal(negative.err, 'rindle doctor: --bytes: a whole number, all, or none.\n  See `rindle doctor --help`.\n')
    assert.match((await run(['release'], folder)).err, /missing required argument 'ASSET'[^]*See `rindle release --help`/)
    const help = await run(['--help'], folder)
    assert.equal(help.code, 0)
    for (const { name } of commands) assert.match(help.out, new RegExp(`^  ${name} `, 'm'))
    for (const code of Object.values(exitCodes)) assert.match(help.out, new RegExp(`^  ${code} +[A-Z]`, 'm'))
    const ofDoctor = await run(['doctor', '--help'], folder)
    assert.match(ofDoctor.out, /Looks at, in this order:\n {2}database {7}It answers[\s\S]*\n {2}unattached {5}How many files/)
  })

  it('prints the script of an empty database without an app', async () => {
    const { code, out } = await run(['migrate', '--print', '--grant-to', 'the_app'], folder)
    assert.equal(code, 0)
    assert.match(out, /create table rindle\.media_assets/)
    assert.match(out, /rindle_queue\.create_queue\('promote_asset'/)
    assert.match(out, /grant usage on schema rindle_queue to "the_app"/)
  })
})

for (const engine of engines.filter(({ name }) => name !== 'postgres-runtime-role')) {
  describe(`the commands on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let folder: string
    before(async () => {
      database = await engine.open({ migrated: false })
      folder = mkdtempSync(join(tmpdir(), 'rindle-cli-'))
      chmodSync(folder, 0o755)
      const given = engine.concurrent ? `'${database.place}'` : `pglite('${database.place}')`
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', rindle: { app: 'app.ts' } }))
      writeFileSync(join(folder, 'app.ts'), appText(given))
      // One process at a time may have an embedded database open.
      if (!engine.concurrent) await Reflect.apply(Reflect.get(Object(database.given), 'close'), database.given, [])
    })
    after(async () => {
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    })

    it('refuse to work with a schema that is not there, and say what to run', async () => {
      const { code, err } = await run(['work'], folder)
      assert.equal(code, 78)
      assert.match(err, /run `rindle migrate`/)
    })

    it('migrate once, and find nothing to do after that', async () => {
      const first = await run(['migrate', '--json'], folder)
      assert.equal(first.code, 0, first.err)
      assert.deepEqual(
        JSON.parse(first.out).rows.map(({ migration }: { migration: string }) => migration),
        ['1 spine', '2 alive', '3 encoded', '4 played', 'queue'],
      )
      const again = await run(['migrate'], folder)
      assert.equal(again.code, 0)
      assert.match(again.out, /^Nothing to do: the schema is at version 4\.\n$/)
    })

    it('work until they are told to stop, and end well', async () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        const { child, said, ended } = start(['work', '--concurrency', '1', '--encoders', '0'], folder)
        while (!said.err.includes('works; stop it'))
          await Promise.race([once(child.stderr, 'data'), ended.then(({ err }) => assert.fail(err))])
        child.kill(signal)
        const { code, out } = await ended
        assert.equal(code, 0)
        assert.match(out, /The worker has stopped/)
      }
    })

    it('examine, and end with 1 when there is a problem', async () => {
      const { code, out, err } = await run(['doctor'], folder)
      assert.equal(code, 1, err)
      assert.match(out, /^ok {7}database: .*answers/m)
      assert.match(out, /^problem {2}base-url \(memory:cli\): .*\n {9}Set createRindle\(\{ baseUrl \}\)/m)
      assert.match(out, /looked at: 1 problem, \d+ warnings?\.\n$/)
      const told = JSON.parse((await run(['doctor', '--json', '--quiet'], folder)).out)
      assert.equal(told.ok, false)
      assert.deepEqual(
        told.rows.filter(({ level }: { level: string }) => level === 'problem').map(({ check }: { check: string }) => check),
        ['base-url'],
      )
      const healthy = join(folder, 'healthy.ts')
      writeFileSync(
        healthy,
        appText(engine.concurrent ? `'${database.place}'` : `pglite('${database.place}')`, `, baseUrl: 'https://app.test'`),
      )
      const well = await run(['doctor', '--app', healthy], folder)
      assert.equal(well.code, 0, well.out)
    })

    it('list nothing where nothing is held back, and refuse to release without words', async () => {
      const listed = await run(['quarantine'], folder)
      assert.equal(listed.out, '0 files are held back.\n', listed.err)
      assert.equal((await run(['quarantine', '--limit', 'all'], folder)).code, 64)
      const asset = '01890000-0000-7000-8000-000000000000'
      assert.equal((await run(['release'], folder)).code, 64)
      const silent = await run(['release', asset, '--actor', 'Anna'], folder)
      assert.equal(silent.code, 64)
      assert.match(silent.err, /--reason: it is required/)
      assert.match(
        (await run(['release', asset, '--actor', 'Anna', '--reason', 'x'], folder)).err,
        /No asset 01890000[^]*`rindle quarantine` lists/,
      )
    })

    if (engine.concurrent) {
      it('list what is held back, and release it with who and why on record', async () => {
        const note = defineProfile({ kind: 'file', storage: memory({ name: 'cli' }), allowMime: ['text/plain'], maxBytes: 1000 })
        const rindle = createRindle({
          profiles: { note },
          database: database.given,
          secrets: ['a secret of the tests that is long enough'],
        })
        const hold = async (name: string, code: string): Promise<string> => {
          const { id } = await rindle.upload('note', Buffer.from(name), { filename: name })
          await database.query(
            `update rindle.media_assets
                set state = 'quarantined', error_code = $2, error_detail = 'It says so.', due_at = now() + interval '1 day',
                    object_id = (select o.id from rindle.media_objects o where o.asset_id = $1::uuid and o.state = 'present')
              where id = $1::uuid`,
            [id, code],
          )
          return id
        }
        const broken = await hold('broken.txt', 'decode_failed')
        const infected = await hold('infected.txt', 'malware_found')
        await rindle.close()

        const { rows } = JSON.parse((await run(['quarantine', '--json'], folder)).out)
        assert.deepEqual(
          rows.map(({ id, profile, filename, code, message, isReleasable }: Record<string, unknown>) => [
            ...[id, profile, filename, code, message, isReleasable],
          ]),
          [
            [infected, 'note', 'infected.txt', 'malware_found', 'It says so.', true],
            [broken, 'note', 'broken.txt', 'decode_failed', 'It says so.', false],
          ],
        )
        assert.ok(new Date(rows[0].keptUntil).getTime() > 0)
        const first = await run(['quarantine', '--limit', '1'], folder)
        assert.match(
          first.out,
          new RegExp(`^${infected}  note  infected\\.txt\\n  malware_found: It says so\\.\\n  Kept until .*may let it through`),
        )
        assert.match((await run(['quarantine', '--before', infected], folder)).out, new RegExp(`^${broken}[^]*cannot be let through`))

        const words = ['--reason', 'A false alarm', '--actor', 'Anna']
        const released = await run(['release', infected, ...words], folder)
        assert.equal(released.code, 0, released.err)
        const moves = await database.query(`select actor, reason from rindle.state_moves where entity_id = $1::uuid and move = 'release'`, [
          infected,
        ])
        assert.deepEqual(moves, [{ actor: 'Anna', reason: 'A false alarm' }])
        const refused = await run(['release', broken, ...words, '--json'], folder)
        assert.equal(refused.code, 65)
        assert.equal(JSON.parse(refused.out).error.code, 'quarantine_not_releasable')
        await database.empty()
      })

      it('stop what is being made, and have it made after all, with who and why on record', async () => {
        const drawing = join(folder, 'drawing.ts')
        writeFileSync(drawing, drawingAppText(`'${database.place}'`))
        const app = createRindle({
          profiles: {
            photo: defineProfile({
              storage: memory({ name: 'cli' }),
              allowMime: ['image/png'],
              maxBytes: 1000,
              variants: { small: image({ width: 8 }) },
            }),
          },
          ...{ database: database.given, secrets: ['a secret of the tests that is long enough'], baseUrl: 'https://app.test' },
        })
        const { id } = await app.upload('photo', Buffer.from('a drawing'), { filename: 'a.png' })
        await database.query(
          `with a as (update rindle.media_assets
                         set state = 'processing', kind = 'image', object_id = (select o.id from rindle.media_objects o where o.asset_id = $1::uuid), due_at = null
                       where id = $1::uuid returning id)
           insert into rindle.media_variants (id, asset_id, name, output_kind, job, recipe_digest, state, inserted_at, state_changed_at, due_at)
           select gen_random_uuid(), a.id, 'small', 'image', 'build_variants', '\\x00', 'queued', now(), now(), now() from a`,
          [id],
        )
        await app.close()
        const words = ['--reason', 'Too dear', '--actor', 'Anna', '--app', drawing]
        const stopped = await run(['cancel', id, ...words], folder)
        assert.equal(stopped.out, `Stopped: small. \`rindle requeue ${id}\` has them made after all.\n`, stopped.err)
        assert.equal((await run(['cancel', id, ...words], folder)).code, 65)
        const unknown = await run(['requeue', id, '--variants', 'small, large', ...words], folder)
        assert.match(unknown.err, /large[^]*`rindle doctor` says which variants/)
        const again = await run(['requeue', id, ...words], folder)
        assert.equal(again.out, 'To be made again: small; a worker takes them up.\n', again.err)
        assert.match((await run(['requeue', id, ...words], folder)).out, /Nothing to make/)
        const moves = await database.query(
          `select move, actor, reason from rindle.state_moves where asset_id = $1::uuid and entity = 'variant' order by seq`,
          [id],
        )
        assert.deepEqual(
          moves.slice(-2).map(({ move, actor, reason }) => [move, actor, reason]),
          [
            ['cancel', 'Anna', 'Too dear'],
            ['enqueue', 'Anna', 'Too dear'],
          ],
        )
        await database.empty()
      })

      it('say what to do about a role, a database or a server that is not there', async () => {
        const place = (change: (url: URL) => void) => {
          const url = new URL(database.place)
          change(url)
          return url.href
        }
        for (const [url, code, said] of [
          [place((one) => (one.pathname = '/nodb')), 78, /refused: database "nodb" does not exist\. Check the address/],
          [place((one) => (one.username = 'nobody_here')), 78, /refused: role "nobody_here" does not exist/],
          [place((one) => (one.port = '1')), 75, /did not answer[^]*because: connect ECONNREFUSED/],
          ['postgres://a:p#w@x/y', 78, /the address is no URL/],
        ] as const) {
          const other = join(folder, `app-${said.source.length}.ts`)
          writeFileSync(other, appText(`'${url}'`))
          const ended = await run(['migrate', '--app', other], folder)
          assert.equal(ended.code, code, ended.err)
          assert.match(ended.err, said)
          assert.doesNotMatch(ended.err, /node_modules|p#w/)
        }
        const unknown = await run(['migrate', '--grant-to', 'nobody_here'], folder)
        assert.equal(unknown.code, 65, unknown.err)
        assert.match(unknown.err, /no role nobody_here; create it first/)
      })

      it('give a role what it needs to run everything but migrate', async () => {
        assert.equal((await run(['migrate', '--grant-to', runtimeRole], folder)).code, 0)
        const place = new URL(database.place)
        place.username = runtimeRole
        const db = openDatabase(place.href)
        await checkSchemaVersion(db.pool)
        await db.close()
        const client = new pg.Client({ connectionString: place.href })
        await client.connect()
        await assert.rejects(client.query('create table rindle.mine (id int)'), /permission denied/)
        await client.query('select count(*) from rindle_queue.job')
        await client.end()
      })

      it('do on an empty database by hand what migrate does', async () => {
        const other = await engine.open({ migrated: false })
        const { out } = await run(['migrate', '--print'], folder)
        await other.query(out)
        const db = openDatabase(other.place)
        const report = await migrate(db, { queue: queueMigrations })
        assert.deepEqual({ applied: report.applied, queueInstalled: report.queueInstalled }, { applied: [], queueInstalled: false })
        await grantTo(db, runtimeRole, { queue: queueMigrations })
        await db.close()
        await other.close()
      })
    } else {
      it('refuse an embedded database that another process has open, and name it', async () => {
        const { child, said, ended } = start(['work'], folder)
        while (!said.err.includes('works; stop it'))
          await Promise.race([once(child.stderr, 'data'), ended.then(({ err }) => assert.fail(err))])
        const refused = await run(['migrate', '--json'], folder)
        child.kill('SIGTERM')
        await ended
        assert.equal(refused.code, 78)
        const { error } = JSON.parse(refused.out)
        assert.equal(error.code, 'database_in_use')
        assert.equal(error.details.pid, child.pid)
      })
    }
  })
}
