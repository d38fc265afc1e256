import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { s3 } from '../../src/adapters/storage/s3.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import type { Jail, JailReport } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { type Diagnosis, defineProfile, type Level, type ProfileOptions, type Scanner } from '../../src/index.ts'
import { contextOf } from '../../src/context.ts'
import type { Finding } from '../../src/core/diagnosis.ts'
import { isRindleError, RindleError } from '../../src/core/errors.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import { createHandler } from '../../src/doors/http/create-handler.ts'
import { doctor } from '../../src/flows/ops/doctor.ts'
import { createTestRindle, type RindleOptions } from '../../src/rindle.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { createPlainJail, plainPicture } from './fixtures/plain-jail.ts'

const secret = 'a secret of the journeys, thirty-two bytes and more'

/** A machine as it is told of: which walls stand and what is installed. */
const jailWith = (report: Partial<JailReport>): Jail & { readonly asked: () => number } => {
  let asked = 0
  return {
    ...createPlainJail(),
    asked: () => asked,
    report: async () => {
      asked += 1
      return {
        walls: [],
        versions: { sharp: '0.35.5', libvips: '8.18.7', ffmpeg: null, ffprobe: null },
        decodes: ['image/png'],
        missing: {},
        ...report,
      }
    },
  }
}
const wallMissing = { name: 'sandbox', stands: false, means: 'apt-get install bubblewrap' } as const

for (const engine of engines) {
  describe(`doctor on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let folder: string
    before(async () => {
      database = await engine.open()
      folder = mkdtempSync(join(tmpdir(), 'rindle-doctor-test-'))
    })
    beforeEach(() => database.empty())
    after(async () => {
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const open = (profile: Partial<ProfileOptions> = {}, options: Partial<RindleOptions> = {}, jail: Jail = jailWith({})) =>
      createTestRindle(
        {
          profiles: {
            photo: defineProfile({
              storage: local({ directory: join(folder, 'objects') }),
              allowMime: ['image/png'],
              maxBytes: 1_000_000,
              ...profile,
            }),
          },
          slots: { photo: { profile: 'photo' } },
          database: database.given,
          secrets: [secret],
          baseUrl: 'https://app.test/media',
          ...options,
        },
        { jail },
      )
    const examined = async (...given: Parameters<typeof open>): Promise<Diagnosis> => {
      const rindle = open(...given)
      try {
        return await rindle.doctor()
      } finally {
        await rindle.close()
      }
    }
    const said = ({ findings }: Diagnosis, level: Level) =>
      findings.filter((one) => one.level === level).map(({ check, subject, cure }) => [check, subject, cure !== null])

    it('finds nothing wrong where all is well, and says nothing that is secret', async () => {
      const diagnosis = await examined()
      assert.equal(diagnosis.level, 'ok', JSON.stringify(said(diagnosis, 'problem')))
      const checks = [...new Set(diagnosis.findings.map(({ check }) => check))]
      assert.deepEqual(checks, [
        ...['database', 'schema', 'rights', 'notifications', 'secrets', 'base-url', 'scratch', 'stores', 'objects', 'decoders', 'types'],
        ...['scanners', 'names', 'owed', 'gate', 'variants', 'quarantine', 'unattached'],
      ])
      assert.ok(!JSON.stringify(diagnosis).includes(secret.slice(0, 8)))
    })

    it('says what does not answer, each with a cure, and nothing of why that an adapter wrote', async () => {
      const dead: StorageAdapter = {
        ...memory({ name: 'dead' }),
        head: () => Promise.reject(new TypeError('connect https://user:hunter2@store.test')),
      }
      const scanners: Scanner[] = [
        { name: 'deaf', scan: async () => ({ clean: true }), check: () => Promise.reject(new TypeError('hunter2')) },
        { name: 'well', scan: async () => ({ clean: true }), check: async () => 'ClamAV 1.4' },
        { name: 'mute', scan: async () => ({ clean: true }) },
      ]
      const diagnosis = await examined({ storage: dead, scanners }, {}, jailWith({ walls: [wallMissing] }))
      assert.deepEqual(said(diagnosis, 'problem'), [
        ['stores', 'memory:dead', true],
        ['scanners', 'deaf', true],
      ])
      assert.deepEqual(said(diagnosis, 'warning'), [['jail', 'sandbox', true]])
      assert.equal(diagnosis.level, 'problem')
      assert.ok(!JSON.stringify(diagnosis).includes('hunter2'))
    })

    it('says where the http door is missing, and where the scratch folder is', async () => {
      const diagnosis = await examined({}, { scratchFolder: join(folder, 'not-there') })
      assert.deepEqual(said(diagnosis, 'problem'), [['scratch', null, true]])
      const scratchFolder = join(folder, 'not-there')
      const jail = createJail({ concurrency: 1, scratchFolder, logger: silentLogger })
      assert.deepEqual(said(await examined({}, { scratchFolder }, jail), 'problem'), [['scratch', null, true]])
      await jail.close()
      const rindle = createTestRindle(
        {
          profiles: { photo: defineProfile({ storage: memory(), allowMime: ['image/png'], maxBytes: 1_000 }) },
          database: database.given,
          secrets: [secret],
        },
        { jail: jailWith({}) },
      )
      assert.deepEqual(said(await rindle.doctor(), 'problem'), [['base-url', 'memory:default', true]])
      await rindle.close()
    })

    it('says which types a profile takes in vain, where ready() only refuses', async () => {
      const jail = jailWith({ missing: { 'image/heic': { packageName: 'heic-decode', install: 'npm install heic-decode' } } })
      const diagnosis = await examined({ allowMime: ['image/png', 'image/heic', 'video/webm'] }, {}, jail)
      assert.deepEqual(said(diagnosis, 'problem'), [
        ['types', 'photo image/heic', true],
        ['types', 'photo video/webm', true],
      ])
      const found = diagnosis.findings.filter(({ level }) => level === 'problem').map((one) => one.found)
      assert.match(found[0] ?? '', /npm install heic-decode/)
      assert.match(found[1] ?? '', /apt-get install ffmpeg/)
    })

    it('says which version of each decoder is there, and that one too old is not used', async () => {
      const versions = { sharp: '0.35.5', libvips: '8.18.7', ffmpeg: '5.1.6-0+deb12u1', ffprobe: '4.4.2' }
      const { findings } = await examined({ allowMime: ['video/mp4'] }, {}, jailWith({ versions }))
      const decoders = findings.filter(({ check }) => check === 'decoders').map(({ level, subject, found }) => [level, subject, found])
      assert.deepEqual(decoders.slice(2), [
        ['ok', 'ffmpeg', 'Version 5.1.6-0+deb12u1.'],
        ['warning', 'ffprobe', 'Version 4.4.2 is not used: 5.1 or later is.'],
      ])
      const types = findings.filter(({ check, level }) => check === 'types' && level === 'problem')
      assert.match(types[0]?.found ?? '', /ffprobe.*4\.4\.2.*5\.1/)
    })

    it('asks the jail for its report once, and says once that there is none', async () => {
      const jail = jailWith({})
      await examined({}, {}, jail)
      assert.equal(jail.asked(), 1)
      const ended: Jail = { ...jail, report: () => Promise.reject(new RindleError('decoder_unavailable', { problem: 'it ended' })) }
      const diagnosis = await examined({}, {}, ended)
      assert.deepEqual(said(diagnosis, 'problem'), [['jail', null, true]])
      assert.equal(
        diagnosis.findings.some(({ check }) => check === 'decoders' || check === 'types'),
        false,
      )
    })

    it('waits for no check for ever, tells each as it ends, and ends where it is told to', async () => {
      const rindle = open({}, {}, { ...jailWith({}), report: () => new Promise(() => undefined) })
      try {
        const heard: string[] = []
        const hear = (findings: readonly Finding[]) => void heard.push(...findings.map(({ check }) => check))
        const diagnosis = await doctor(contextOf(rindle), { hear, checkWithinMs: 500 })
        assert.deepEqual(
          said(diagnosis, 'problem').map(([check]) => check),
          ['jail'],
        )
        assert.deepEqual(
          heard,
          diagnosis.findings.map(({ check }) => check),
        )
        assert.ok(heard.includes('owed'))
        const stop = new AbortController()
        const stopped = await doctor(contextOf(rindle), { hear: ([one]) => one?.check === 'stores' && stop.abort(), signal: stop.signal })
        assert.equal(stopped.findings.at(-1)?.check, 'stores')
      } finally {
        await rindle.close()
      }
    })

    it('counts what waits for a worker, for a scanner and for somebody to decide', async () => {
      const rindle = open()
      try {
        const ids: string[] = []
        for (let index = 0; index < 4; index += 1)
          ids.push((await rindle.upload('photo', Buffer.from(plainPicture(100 + index)), { filename: 'a.png' })).id)
        await database.query(
          `update rindle.media_assets set state_changed_at = state_changed_at - interval '1 hour' where id = any($1::uuid[])`,
          [ids.slice(0, 2)],
        )
        await database.query(
          `insert into rindle.media_processing_runs (id, asset_id, job, variant_names, attempt, fence, worker, state, previous_state, error_code, started_at, finished_at, state_changed_at)
           values (gen_random_uuid(), $1::uuid, 'promote_asset', '{}', 1, 1, 'w', 'failed', 'processing', 'scanner_unavailable', now(), now(), now())`,
          [ids[2]],
        )
        await database.query(
          `update rindle.media_assets set state = 'quarantined', error_code = 'worker_lost', error_detail = 'Lost.', due_at = now() + interval '1 day',
                  object_id = (select id from rindle.media_objects where asset_id = $1::uuid limit 1)
            where id = $1::uuid`,
          [ids[3]],
        )
        const diagnosis = await rindle.doctor()
        assert.deepEqual(said(diagnosis, 'problem'), [
          ['gate', 'scanner_unavailable', true],
          ['gate', null, true],
        ])
        assert.deepEqual(said(diagnosis, 'warning'), [['quarantine', 'worker_lost', true]])
        const [scanner, worker] = diagnosis.findings.filter(({ check }) => check === 'gate').map(({ found }) => found)
        assert.match(scanner ?? '', /^One file is put off; the oldest came at 20/)
        assert.match(worker ?? '', /^2 files are waiting for a worker/)
      } finally {
        await rindle.close()
      }
    })

    it('counts the files whose variants wait, were put off or could not be made, each with why', async () => {
      const rindle = open()
      try {
        const upload = async (size: number) => (await rindle.upload('photo', Buffer.from(plainPicture(size)), { filename: 'a.png' })).id
        const plan = async (
          asset: string,
          state: string,
          { code, run, ago = '0 s' }: { code?: string; run?: string; ago?: string } = {},
        ) => {
          const due = state === 'queued' ? 'now()' : 'null'
          for (const name of ['film', 'song'])
            await database.query(
              `insert into rindle.media_variants (id, asset_id, name, output_kind, state, recipe_digest, error_code, due_at, inserted_at, state_changed_at)
               values (gen_random_uuid(), $1::uuid, $2, 'video', $3, ''::bytea, $4, ${due}, now(), now() - $5::interval)`,
              [asset, name, state, code ?? null, ago],
            )
          if (run === undefined) return
          await database.query(
            `insert into rindle.media_processing_runs (id, asset_id, job, variant_names, attempt, fence, worker, state, error_code, started_at, finished_at, state_changed_at)
             values (gen_random_uuid(), $1::uuid, 'transcode_asset', '{film,song}', 1, 1, 'w', 'failed', $2, now(), now(), now())`,
            [asset, run],
          )
        }
        await plan(await upload(100), 'queued', { ago: '59 minutes' })
        await plan(await upload(101), 'queued', { run: 'processing_cancelled' })
        const look = async () => (await rindle.doctor()).findings.filter(({ check }) => check === 'variants')
        assert.deepEqual(
          (await look()).map(({ level }) => level),
          ['ok'],
        )
        await plan(await upload(102), 'queued', { ago: '61 minutes' })
        await plan(await upload(103), 'queued', { run: 'host_ephemeral' })
        await plan(await upload(104), 'failed', { code: 'worker_lost' })
        await plan(await upload(105), 'failed', { code: 'source_broken' })
        const found = await look()
        assert.deepEqual(
          found.map(({ level, subject }) => `${level} ${subject}`),
          ['problem host_ephemeral', 'warning null', 'ok source_broken', 'warning worker_lost'],
        )
        assert.match(found[0]?.found ?? '', /^One file is put off with variants to be made; the longest since 20/)
        assert.match(found[0]?.cure ?? '', /`encoders: 0`/)
        assert.match(found[1]?.cure ?? '', /`rindle work --encoders 2`/)
        assert.match(found[3]?.cure ?? '', /`rindle requeue ASSET`.*rindle\.media_variants/)
      } finally {
        await rindle.close()
      }
    })

    it('counts the rows of any table that nobody came for, and since when', async () => {
      const rindle = open()
      try {
        await rindle.upload('photo', Buffer.from(plainPicture()), { filename: 'a.png' })
        const owed = async (ago: string) => {
          await database.query(`update rindle.media_assets set due_at = now() - $1::interval`, [ago])
          return (await rindle.doctor()).findings.filter(({ check }) => check === 'owed')
        }
        assert.deepEqual(
          (await owed('2 hours')).map(({ level }) => level),
          ['ok'],
        )
        const [one] = await owed('3 hours')
        assert.deepEqual([one?.level, one?.cure], ['problem', 'Start one: `rindle work`.'])
        assert.match(one?.found ?? '', /^One row waits for a worker since 20\S+Z\.$/)
        await database.query(`update rindle.media_objects set due_at = now() - interval '4 hours'`)
        assert.match((await owed('3 hours'))[0]?.found ?? '', /^[2-9] rows wait for a worker since 20\S+Z\.$/)
      } finally {
        await rindle.close()
      }
    })

    it('says which profiles and stores rows name that are gone', async () => {
      const former = open()
      await former.upload('photo', Buffer.from(plainPicture()), { filename: 'a.png' })
      await former.close()
      const rindle = createTestRindle(
        {
          profiles: { other: defineProfile({ storage: memory(), allowMime: ['image/png'], maxBytes: 1_000 }) },
          database: database.given,
          secrets: [secret],
          baseUrl: 'https://app.test/media',
        },
        { jail: jailWith({}) },
      )
      assert.deepEqual(said(await rindle.doctor(), 'problem'), [
        ['names', 'photo', true],
        ['names', `local:${join(folder, 'objects')}`, true],
      ])
      await rindle.close()
    })

    it('changes nothing', async () => {
      const rindle = open()
      await rindle.upload('photo', Buffer.from(plainPicture()), { filename: 'a.png' })
      const rows = async () => [
        await database.query('select to_jsonb(a) as row from rindle.media_assets a'),
        await database.query('select to_jsonb(o) as row from rindle.media_objects o order by id'),
        await database.query('select count(*)::int as count from rindle.state_moves'),
      ]
      const earlier = await rows()
      await rindle.doctor()
      assert.deepEqual(await rows(), earlier)
      await rindle.close()
    })

    describe('before a Rindle is ready', () => {
      const logged: unknown[] = []
      const logger: Logger = {
        ...silentLogger,
        error: (fields) => void logged.push('err' in fields && isRindleError(fields.err) ? fields.err.code : fields),
      }
      const refused = async (code: string, ...[profile, options, jail]: Parameters<typeof open>): Promise<void> => {
        const rindle = open(profile, { ...options, logger }, jail)
        await assert.rejects(rindle.ready(), { code })
        const worker = rindle.work()
        await assert.rejects(worker.failed, { code })
        assert.equal(worker.health().lastLookAt, null)
        assert.deepEqual(logged.splice(0), [code])
        assert.deepEqual((await rindle.assets()).assets, [])
        const handle = createHandler(rindle, { identify: () => null, authorize: () => true })
        assert.equal((await handle(new Request('https://app.test/media/v1/assets'))).status < 500, true)
        await rindle.close()
      }

      it('refuses a profile that takes what cannot be opened here, as its worker does, and no other call', async () => {
        await refused(
          'peer_missing',
          { allowMime: ['image/png', 'image/heic'] },
          {},
          jailWith({ missing: { 'image/heic': { packageName: 'heic-decode', install: '' } } }),
        )
        await refused('program_missing', { allowMime: ['video/mp4'] })
        const old = { sharp: '0.35.5', libvips: '8.18.7', ffmpeg: '4.4.2', ffprobe: '4.4.2' }
        await refused('peer_outdated', { allowMime: ['audio/mpeg'] }, {}, jailWith({ versions: old }))
      })

      it('refuses a jail with fewer walls where every one is required', async () => {
        await refused('jail_incomplete', {}, { jail: 'require' }, jailWith({ walls: [wallMissing] }))
        const rindle = open({}, { jail: 'prefer' }, jailWith({ walls: [wallMissing] }))
        await rindle.ready()
        await rindle.close()
      })

      it('starts no decoder for profiles of plain pictures and of files', async () => {
        for (const profile of [
          { allowMime: ['image/png', 'image/jpeg', 'image/webp', 'image/avif'] },
          { kind: 'file', allowMime: ['video/mp4'] },
        ] as const) {
          const jail = jailWith({})
          const rindle = open(profile, {}, jail)
          await rindle.ready()
          assert.equal(jail.asked(), 0)
          await rindle.close()
        }
      })
    })
  })
}

describe('doctor without a database', () => {
  it('says so, and goes on with all that needs none', async () => {
    const rindle = createTestRindle(
      {
        profiles: { photo: defineProfile({ storage: memory(), allowMime: ['image/png'], maxBytes: 1_000 }) },
        database: 'postgres://nobody:hunter2@127.0.0.1:1/nothing',
        secrets: [secret],
        baseUrl: 'https://app.test/media',
      },
      { jail: jailWith({}) },
    )
    const { level, findings } = await rindle.doctor()
    assert.equal(level, 'problem')
    assert.deepEqual(
      findings.filter((one) => one.level === 'problem').map(({ check }) => check),
      ['database'],
    )
    assert.ok(findings.some(({ check }) => check === 'stores'))
    assert.ok(!findings.some(({ check }) => check === 'schema' || check === 'gate'))
    assert.ok(!JSON.stringify(findings).includes('hunter2'))
    await rindle.close()
  })

  it('says why a store does not answer, and no address', async () => {
    const storage = s3({
      bucket: 'files',
      endpoint: 'http://127.0.0.1:1',
      region: 'r',
      credentials: { accessKeyId: 'a', secretAccessKey: 'hunter2' },
    })
    const rindle = createTestRindle(
      {
        profiles: { photo: defineProfile({ storage, allowMime: ['image/png'], maxBytes: 1_000 }) },
        database: 'postgres://nobody@127.0.0.1:1/nothing',
        secrets: [secret],
        baseUrl: 'https://app.test/media',
      },
      { jail: jailWith({}) },
    )
    const { findings } = await rindle.doctor()
    await rindle.close()
    const [store] = findings.filter(({ check }) => check === 'stores')
    assert.match(store?.found ?? '', /^The storage s3:files failed to head; try again\. What is known: nothing listens at the host/)
    assert.doesNotMatch(JSON.stringify(findings), /hunter2|127\.0\.0\.1/)
  })

  it('tries the real decoders of this machine, and says of a wall that is missing how to build it', async () => {
    const jail = createJail({ logger: silentLogger, bubblewrap: null })
    const rindle = createTestRindle(
      {
        profiles: { photo: defineProfile({ storage: memory(), allowMime: ['image/png', 'image/jpeg'], maxBytes: 1_000 }) },
        database: 'postgres://nobody@127.0.0.1:1/nothing',
        secrets: [secret],
        baseUrl: 'https://app.test/media',
      },
      { jail },
    )
    const { findings } = await rindle.doctor()
    const sandbox = findings.find(({ check, subject }) => check === 'jail' && subject === 'sandbox')
    assert.equal(sandbox?.level, 'warning')
    assert.match(sandbox?.cure ?? '', /bubblewrap/)
    assert.equal(findings.find(({ check, subject }) => check === 'types' && subject === 'photo')?.level, 'ok')
    await rindle.close()
  })
})
