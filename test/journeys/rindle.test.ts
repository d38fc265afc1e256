import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createRindle, defineProfile, type ErrorCode, isRindleError, version } from '../../src/index.ts'
import { pglite } from '../../src/pglite.ts'
import { local } from '../../src/adapters/storage/local.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import manifest from '../../package.json' with { type: 'json' }
import { type EngineDatabase, engines } from '../services/engines.ts'
import { png } from './fixtures/house.ts'

const profile = defineProfile({ storage: memory(), allowMime: ['image/png'], maxBytes: 1_000_000 })
const secrets = ['a secret of the journeys, thirty-two bytes and more']

const code = (expected: ErrorCode) => (err: unknown) => {
  assert.ok(isRindleError(err), String(err))
  assert.equal(err.code, expected)
  return true
}

const problemsOf = (options: unknown): readonly string[] => {
  try {
    Reflect.apply(createRindle, undefined, [options])
  } catch (err) {
    if (isRindleError(err) && err.code === 'options_invalid') return err.details.problems
    throw err
  }
  return []
}

describe('create a Rindle', () => {
  it('reports every problem at once, and no secret', () => {
    const problems = problemsOf({
      profiles: { 'a b': profile, raw: { maxBytes: 1 } },
      slots: { avatar: { profile: 'ra', many: 'yes', size: 3 }, odd: null },
      secrets: ['hunter2'],
      baseUrl: '/media',
      stores: ['s3'],
      logger: {},
      leaseSeconds: 1,
      scratchFolder: '',
      databse: 'x',
    })
    const expected = [
      /^databse is not an option; did you mean database\?$/,
      /^profiles\.a b: names begin/,
      /^profiles\.raw must come from defineProfile/,
      /^slots\.avatar\.size is not an option/,
      /^slots\.avatar\.profile: no profile is named ra; did you mean raw\?$/,
      /^slots\.avatar\.many must be/,
      /^slots\.odd must be/,
      /^database is missing/,
      /^secrets\[0\] has 7 bytes/,
      /^baseUrl must be/,
      /^stores must list/,
      /^logger must have/,
      /^leaseSeconds must be/,
      /^scratchFolder must be/,
    ]
    assert.equal(problems.length, expected.length, problems.join('\n'))
    expected.forEach((pattern, index) => assert.match(problems[index] ?? '', pattern))
    assert.doesNotMatch(problems.join('\n'), /hunter2/)
  })

  it('refuses what is no database together with everything else', () => {
    const problems = problemsOf({ profiles: { profile }, database: { nothing: true }, secrets: [] })
    assert.match(problems.join('\n'), /secrets: give at least one[\s\S]*database: pass an address/)
    for (const wrong of [undefined, null, 'options', { profiles: {}, database: 'x', secrets }]) assert.ok(problemsOf(wrong).length > 0)
    for (const baseUrl of ['ftp://x', 'https://x?y=1', 'https://user:pw@x', 'https://x#y', 5])
      assert.match(problemsOf({ profiles: { profile }, database: 'postgres://x', secrets, baseUrl }).join(), /^baseUrl must/)
  })

  it('touches nothing', async () => {
    const folder = join(tmpdir(), 'rindle-that-is-never-made')
    const directory = join(folder, 'objects')
    const untouched = defineProfile({ storage: local({ directory }), allowMime: ['image/png'], maxBytes: 1 })
    const rindle = createRindle({ profiles: { untouched }, database: pglite(join(folder, 'db')), secrets })
    await rindle.close()
    assert.ok(!existsSync(folder))
  })

  it('knows the version of the package', () => assert.equal(version, manifest.version))
})

for (const engine of engines) {
  describe(`the life of a Rindle on ${engine.name}`, { skip: engine.skip }, () => {
    let database: EngineDatabase
    let folder: string
    before(async () => {
      database = await engine.open()
      folder = await mkdtemp(join(tmpdir(), 'rindle-life-'))
    })
    after(async () => {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    })

    const options = () => ({
      profiles: { photo: defineProfile({ storage: memory({ name: engine.name }), allowMime: ['image/png'], maxBytes: 1_000_000 }) },
      slots: { photo: { profile: 'photo' } } as const,
      database: database.given,
      secrets,
      scratchFolder: folder,
    })

    it('opens with the first call, works, and ends with its scope', async () => {
      const kept = await (async () => {
        await using rindle = createRindle(options())
        const asset = await rindle.upload('photo', await png(), { filename: 'a.png' })
        const worker = rindle.work()
        assert.equal((await rindle.settled(asset.id, { timeoutMs: 30_000 })).state, 'available')
        assert.equal(await rindle.asset('nothing'), null)
        assert.equal((await rindle.assets({ profile: 'photo' })).assets.length, 1)
        assert.equal(worker.health().failing.length, 0)
        return { rindle, worker }
      })()
      await assert.rejects(kept.rindle.asset('01a20459-5065-7573-89b6-6c1798020b97'), code('rindle_closed'))
      await kept.worker.stop()
      await kept.rindle.close()
    })

    it('says where URLs are served before it makes one', async () => {
      await using rindle = createRindle(options())
      const session = await rindle.initiateUpload('photo', { filename: 'a.png', byteSize: 1 })
      await assert.rejects(rindle.signUpload(session.id), code('options_invalid'))
    })

    it('refuses a profile or slot that there is not, whatever the compiler was told', async () => {
      await using rindle = createRindle(options())
      const call = (name: 'upload' | 'attach', given: unknown[]) => Reflect.apply(rindle[name], rindle, given)
      await assert.rejects(call('upload', ['photos', Buffer.from('x'), { filename: 'a.png' }]), code('profile_unknown'))
      await assert.rejects(
        call('attach', ['01a20459-5065-7573-89b6-6c1798020b97', { type: 'User', id: 1 }, 'photos']),
        code('slot_unknown'),
      )
    })
  })

  // A role that owns nothing cannot migrate.
  if (engine.name === 'postgres-runtime-role') continue
  describe(`a schema that is not there, on ${engine.name}`, { skip: engine.skip }, () => {
    it('is told, also to the worker, and the same Rindle goes on once it was migrated', async () => {
      const database = await engine.open({ migrated: false })
      try {
        await using rindle = createRindle({ profiles: { profile }, database: database.given, secrets, logger: quiet })
        await assert.rejects(rindle.ready(), code('schema_version_mismatch'))
        await assert.rejects(rindle.assets(), code('schema_version_mismatch'))
        const worker = rindle.work()
        await assert.rejects(worker.failed, code('schema_version_mismatch'))
        await worker.stop()
        assert.ok((await rindle.migrate()).version >= 1)
        await rindle.ready()
        assert.deepEqual(await rindle.assets(), { assets: [], cursor: null })
        const next = rindle.work()
        for (let left = 100; next.health().lastLookAt === null && left > 0; left -= 1) await pause(50)
        assert.ok(next.health().lastLookAt instanceof Date)
      } finally {
        await database.close()
      }
    })
  })
}

const nothing = (): void => undefined
const quiet = { debug: nothing, info: nothing, warn: nothing, error: nothing }
