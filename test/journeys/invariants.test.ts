import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isRindleError, RindleError } from '../../src/core/errors.ts'
import { invariants, type InvariantName } from '../../src/core/invariants.ts'
import { sealedKey, stagingKey } from '../../src/core/object-key.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { doctor } from '../../src/doors/cli/commands/doctor.ts'
import { attach } from '../../src/flows/assets/attach.ts'
import { detach } from '../../src/flows/assets/detach.ts'
import { purge } from '../../src/flows/assets/purge.ts'
import { checkInvariants, type InvariantOptions } from '../../src/flows/ops/check-invariants.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { createMemoryBucket, type MemoryBucket } from '../../src/testing/memory-bucket.ts'
import { engines } from '../services/engines.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand, withCode } from './fixtures/uploads.ts'

const ada = { type: 'user', id: '1' }
const bob = { type: 'user', id: '2' }
const day = 86_400

/** What is there before something is broken: one of everything. */
interface Scene {
  readonly shown: string
  readonly loose: string
  readonly gone: string
  readonly completed: string
}

/** One promise, broken on purpose where nothing else is. */
interface Breach {
  readonly invariant: InvariantName
  readonly how: string
  /** What cannot but be found with it. */
  readonly with?: readonly InvariantName[]
  readonly quiet?: true
  make(stand: Stand, scene: Scene, bucket: StorageAdapter): Promise<unknown>
}

const history = (stand: Stand, entity: string, id: string, asset: string | null, move: string, from: string | null, to: string) =>
  stand.database.query(
    `insert into rindle.state_moves (at, entity, entity_id, asset_id, move, from_state, to_state) values ($1, $2, $3, $4, $5, $6, $7)`,
    [stand.clock.now(), entity, id, asset, move, from, to],
  )

const variantOf = (stand: Stand, assetId: string) =>
  stand.one('select id, object_id, recipe_digest from rindle.media_variants where asset_id = $1 order by name limit 1', assetId)
const originalOf = (stand: Stand, assetId: string) =>
  stand.one('select o.* from rindle.media_objects o join rindle.media_assets a on a.object_id = o.id where a.id = $1', assetId)
const addAttachment = async (stand: Stand, assetId: string, slot: string, many: boolean, standing: string) => {
  const id = stand.ctx.ids.next()
  await stand.database.query(
    `insert into rindle.media_attachments (id, owner_type, owner_id, slot, many, asset_id, standing, due_at, inserted_at)
     values ($1, 'user', '9', $2, $3, $4, $5, $6, $7)`,
    [id, slot, many, assetId, standing, standing === 'current' ? null : stand.clock.now(), stand.clock.now()],
  )
  await history(stand, 'attachment', id, assetId, 'attach', null, standing)
}
const addObject = async (
  stand: Stand,
  given: Readonly<Record<string, unknown>>,
  path: readonly (readonly [string, string | null, string])[],
) => {
  const id = stand.ctx.ids.next()
  const row = { id, inserted_at: stand.clock.now(), state_changed_at: stand.clock.now(), ...given }
  await stand.database.query(
    `insert into rindle.media_objects (${Object.keys(row).join(', ')}) values (${Object.keys(row)
      .map((_, place) => `$${place + 1}`)
      .join(', ')})`,
    Object.values(row),
  )
  for (const [move, from, to] of path) await history(stand, 'object', id, null, move, from, to)
  return id
}

const breaches: readonly Breach[] = [
  {
    invariant: 'asset-original',
    how: 'the length on an asset is another than that of its original',
    make: (stand, { shown }) => stand.database.query('update rindle.media_assets set byte_size = byte_size + 1 where id = $1', [shown]),
  },
  {
    invariant: 'asset-original',
    how: 'the original was taken in at another instant than the gate passed',
    make: async (stand, { shown }) =>
      stand.database.query(`update rindle.media_objects set state_changed_at = state_changed_at + interval '1 second' where id = $1`, [
        (await originalOf(stand, shown))['id'],
      ]),
  },
  {
    invariant: 'asset-state',
    how: 'an asset whose variants are ready rests',
    make: async (stand, { shown }) => {
      await stand.database.query(`update rindle.media_assets set state = 'available' where id = $1`, [shown])
      await history(stand, 'asset', shown, shown, 'rest', 'ready', 'available')
    },
  },
  {
    invariant: 'variant-object',
    how: 'a variant was recorded with another length than its object',
    make: async (stand, { shown }) =>
      stand.database.query('update rindle.media_variants set byte_size = byte_size + 1 where id = $1', [
        (await variantOf(stand, shown))['id'],
      ]),
  },
  {
    invariant: 'one-effect',
    how: 'a recipe was carried out twice',
    with: ['objects-owned'],
    async make(stand, { shown }, bucket) {
      const variant = await variantOf(stand, shown)
      const key = sealedKey(shown, stand.ctx.ids.next(), 'png')
      await bucket.put(key, new Blob(['twice']).stream(), { contentType: 'image/png' })
      const given = { asset_id: shown, variant_id: variant['id'], role: 'variant', recipe_digest: variant['recipe_digest'], byte_size: 5 }
      const path = [
        ['born', null, 'reserved'],
        ['confirm', 'reserved', 'present'],
      ] as const
      await addObject(stand, { ...given, store: bucket.id, key, state: 'present' }, path)
    },
  },
  {
    invariant: 'objects-owned',
    how: 'a key is reserved that nobody is to look after',
    make: (stand, _, bucket) =>
      addObject(stand, { role: 'unmanaged', store: bucket.id, key: 'unmanaged/lost', state: 'reserved' }, [['born', null, 'reserved']]),
  },
  {
    invariant: 'objects-watched',
    how: 'nobody knows how long an object is to be watched',
    async make(stand) {
      const watched = await stand.one(`select id from rindle.media_objects where state = 'watched' limit 1`)
      assert.ok(watched['id'], 'something is watched')
      await stand.database.query('update rindle.media_objects set watch_until = null where id = $1', [watched['id']])
    },
  },
  {
    invariant: 'attached-lives',
    how: 'an asset is shown that is being purged',
    make: (stand, { gone }) => addAttachment(stand, gone, 'avatar', false, 'current'),
  },
  {
    invariant: 'detached-goes',
    how: 'an asset left its slot and nobody is to look',
    async make(stand, { shown }) {
      await detach(stand.ctx, ada, 'avatar')
      await stand.database.query(`delete from rindle.media_attachments where asset_id = $1`, [shown])
    },
  },
  {
    invariant: 'slot-single',
    how: 'an attachment is pending in a slot that holds many',
    make: (stand, { loose }) => addAttachment(stand, loose, 'list', true, 'pending'),
  },
  {
    invariant: 'session-once',
    how: 'an upload is complete that was never verified',
    make: (stand, { completed }) =>
      stand.database.query('update rindle.media_upload_sessions set verified_at = null where id = $1', [completed]),
  },
  {
    invariant: 'due',
    how: 'nobody came for a row that was due two hours ago',
    make: (stand, { loose }) =>
      stand.database.query(`update rindle.media_assets set due_at = $2::timestamptz - interval '2 hours' where id = $1`, [
        loose,
        stand.clock.now(),
      ]),
  },
  {
    invariant: 'due',
    how: 'a purge is put off beyond all patience',
    make: (stand) => stand.database.query(`update rindle.media_objects set due_at = due_at + interval '3 hours' where state = 'doomed'`),
  },
  {
    invariant: 'legal-moves',
    how: 'a variant made a move that no machine knows',
    make: async (stand, { shown }) =>
      stand.database.query(`update rindle.state_moves set move = 'leap' where entity_id = $1 and move = 'start'`, [
        (await variantOf(stand, shown))['id'],
      ]),
  },
  {
    invariant: 'legal-moves',
    how: 'a move starts elsewhere than the one before ended',
    make: async (stand, { shown }) =>
      stand.database.query(`delete from rindle.state_moves where entity_id = $1 and move = 'start'`, [
        (await variantOf(stand, shown))['id'],
      ]),
  },
  {
    invariant: 'state-told',
    how: 'a row moved on without history',
    make: async (stand, { shown }) =>
      stand.database.query(`delete from rindle.state_moves where entity_id = $1 and move = 'finish'`, [
        (await variantOf(stand, shown))['id'],
      ]),
  },
  {
    invariant: 'state-told',
    how: 'a row went before the end of its life',
    make: (stand) => history(stand, 'run', stand.ctx.ids.next(), null, 'born', null, 'processing'),
  },
  {
    invariant: 'gate-passed',
    how: 'an asset is served that has not passed the gate',
    make: (stand, { loose }) => stand.database.query('update rindle.media_assets set passed_at = null where id = $1', [loose]),
  },
  {
    invariant: 'gate-passed',
    how: 'the gate is said to have passed what no history tells of',
    make: async (stand, { shown }) => {
      await stand.database.query(
        `update rindle.media_objects set state_changed_at = state_changed_at + interval '1 second' where id = $1`,
        [(await originalOf(stand, shown))['id']],
      )
      await stand.database.query(`update rindle.media_assets set passed_at = passed_at + interval '1 second' where id = $1`, [shown])
    },
  },
  {
    invariant: 'stored',
    how: 'an original is gone from storage',
    make: async (stand, { shown }, bucket) => bucket.delete(String((await originalOf(stand, shown))['key'])),
  },
  {
    invariant: 'bytes',
    how: 'an original was overwritten by other bytes of the same length',
    async make(stand, { shown }, bucket) {
      const { key, byte_size: byteSize } = await originalOf(stand, shown)
      await bucket.delete(String(key))
      await bucket.put(String(key), new Blob([new Uint8Array(Number(byteSize))]).stream(), { contentType: 'image/png' })
    },
  },
  {
    invariant: 'known',
    how: 'an object lies in storage that no row knows',
    make: ({ ctx }, _, bucket) =>
      bucket.put(stagingKey(ctx.ids.next(), ctx.ids.next()), new Blob(['stray']).stream(), { contentType: 'image/png' }),
  },
]

for (const engine of engines) {
  describe(`the invariants on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let server: MemoryBucket
    let bucket: StorageAdapter
    let scene: Scene
    /** What happens meanwhile. */
    const meanwhile: {
      reading?: (key: string) => Promise<void>
      listing?: () => Promise<void>
      sending?: (key: string) => ReadableStream<Uint8Array> | null
    } = {}

    before(async () => {
      server = createMemoryBucket({ clock: { now: () => stand.clock.now() }, name: 'invariants' })
      const bare = server.adapter
      bucket = {
        ...bare,
        async head(key, options) {
          await meanwhile.reading?.(key)
          return bare.head(key, options)
        },
        async read(key, options) {
          const found = await bare.read(key, options)
          const body = found && meanwhile.sending?.(key)
          return body ? { ...found, body } : found
        },
        async *list(prefix, options) {
          yield* bare.list(prefix, options)
          await meanwhile.listing?.()
        },
      }
      stand = await openStand(engine, { storage: bucket })
    })
    beforeEach(async () => {
      scene = await play()
    })
    afterEach(async () => {
      delete meanwhile.reading
      delete meanwhile.listing
      delete meanwhile.sending
      await stand.empty()
      for await (const { key, uploadId } of bucket.multipart?.list('') ?? []) await bucket.multipart?.abort(key, uploadId)
    })
    after(() => stand.close())

    const land = async (bytes = plainPicture(), profile = 'avatar') => {
      const { id: sessionId } = await stand.initiate({ byteSize: bytes.byteLength }, profile)
      const { presigned } = await stand.sign(sessionId)
      await server.send({ ...presigned, body: bytes })
      const { asset } = await stand.verify(sessionId)
      return { sessionId, assetId: asset.id }
    }
    /** One of everything: shown, loose, refused and kept, purged and watched, open, waiting at the gate. */
    const play = async (): Promise<Scene> => {
      const shown = await land()
      const loose = await land(plainPicture(70), 'plain')
      const gone = await land(plainPicture(80))
      await land(new Uint8Array(64))
      await stand.work()
      await attach(stand.ctx, shown.assetId, ada, 'avatar')
      await purge(stand.ctx, gone.assetId)
      const given = await stand.initiate()
      await stand.sign(given.id)
      await stand.work()
      const waiting = await land(plainPicture(90))
      await attach(stand.ctx, waiting.assetId, bob, 'avatar')
      const doomed = await land(plainPicture(95))
      await purge(stand.ctx, doomed.assetId)
      return { shown: shown.assetId, loose: loose.assetId, gone: gone.assetId, completed: shown.sessionId }
    }
    const check = (options: InvariantOptions = {}) => checkInvariants(stand.ctx, options)
    const found = async (options: InvariantOptions = {}) =>
      (await check(options)).findings.map(({ invariant, found }) => `${invariant}: ${found}`)

    it('hold of a system where everything is under way', async () => {
      const { findings, unanswered, cut, looked } = await check({ bytes: Infinity })
      assert.deepEqual(findings, [])
      assert.deepEqual([unanswered, cut], [[], []])
      assert.equal((await check({ bytes: 0 })).looked.bytes, 0)
      assert.ok(looked.rows > 20 && looked.objects > 5 && looked.keys > 5 && looked.bytes > 200, JSON.stringify(looked))
    })

    for (const { invariant, how, with: others = [], make } of breaches)
      it(`are broken when ${how}: ${invariant}, and no other`, async () => {
        await make(stand, scene, bucket)
        const { findings } = await check({ bytes: Infinity })
        assert.deepEqual(
          findings.map((one) => one.invariant),
          Object.keys(invariants).filter((name) => [invariant, ...others].some((one) => one === name)),
          JSON.stringify(findings),
        )
        for (const { id, found } of findings) {
          assert.match(id, /^[0-9a-f-]{36}$/)
          assert.doesNotMatch(found, /sealed\/|staging\/|unmanaged\/|https?:/)
        }
      })

    it('tell every row that is under way when nothing should be', async () => {
      const before = await found({ quiet: true })
      assert.ok(before.length >= 6, before.join('\n'))
      assert.ok(before.every((line) => line.startsWith('quiet: ')))
      await stand.work()
      await stand.pass(8 * day)
      assert.deepEqual(await found({ quiet: true, bytes: Infinity }), [])
    })

    it('are broken when two are current in a slot that holds one: slot-single, and no other', async () => {
      await stand.database.query('drop index rindle.media_attachments_current')
      try {
        await addAttachment(stand, scene.loose, 'avatar', false, 'current')
        await stand.database.query(`update rindle.media_attachments set owner_id = '1' where owner_id = '9'`)
        assert.deepEqual(await found(), ['slot-single: another one of the same slot is current as well'])
      } finally {
        await stand.database.query('truncate rindle.media_attachments')
        await stand.database.query(
          `create unique index media_attachments_current on rindle.media_attachments (owner_type, owner_id, slot)
            where standing = 'current' and not many`,
        )
      }
    })

    it('are broken when an upload in parts outlives its session by days: uploads-known, and no other', async () => {
      await stand.empty()
      await bucket.multipart?.create(stagingKey(stand.ctx.ids.next(), stand.ctx.ids.next()), { contentType: 'image/png' })
      stand.clock.advance(2 * day - 60)
      assert.deepEqual(await found(), [])
      stand.clock.advance(120)
      assert.deepEqual(await found(), [
        'uploads-known: an upload in parts to it was begun two days ago and no session awaits it; it has no row',
      ])
    })

    it('hold of what is deleted between the look at its row and the look at storage, and the other way round', async () => {
      const going = async () => {
        delete meanwhile.reading
        delete meanwhile.listing
        await stand.database.query(`delete from rindle.media_attachments`)
        await stand.database.query(`delete from rindle.state_moves where entity = 'attachment'`)
        await purge(stand.ctx, scene.shown)
        await stand.work()
      }
      const keys = (await stand.keys()).length
      meanwhile.reading = going
      assert.deepEqual(await found({ bytes: 0 }), [])
      await stand.empty()
      scene = await play()
      meanwhile.listing = going
      assert.deepEqual(await found(), [])
      assert.ok((await stand.keys()).length < keys)
    })

    it('hold while files come, are attached, replaced, refused and purged all the time, and workers work', async () => {
      let isOver = false
      const come = async (number: number): Promise<void> => {
        for (let round = 0; round < 6; round += 1) {
          const { assetId } = await land(round % 3 === 2 ? new Uint8Array(64) : plainPicture(64, number))
          const refused = (err: unknown) => assert.ok(isRindleError(err), String(err))
          await attach(stand.ctx, assetId, { type: 'user', id: number % 3 }, 'avatar').catch(refused)
          if (round % 2 === 1) await detach(stand.ctx, { type: 'user', id: number % 3 }, 'avatar')
          if (round % 4 === 0) await purge(stand.ctx, assetId).catch(refused)
        }
      }
      const work = async (): Promise<void> => {
        while (!isOver) if ((await stand.work()).length === 0) await setTimeout(5)
      }
      const workers = [work(), work()]
      const coming = Promise.all([1, 2, 3, 4].map(come)).finally(() => (isOver = true))
      let checks = 0
      for (; !isOver; checks += 1) {
        const { findings, unanswered } = await check({ bytes: Infinity })
        assert.deepEqual([findings, unanswered], [[], []])
      }
      await Promise.all([coming, ...workers])
      assert.ok(checks >= 3, `${checks} checks`)
    })

    it('are told with a store that does not answer, since then not all is known, and only so many of each', async () => {
      await stand.database.query('update rindle.media_variants set byte_size = byte_size + 1')
      meanwhile.reading = () => Promise.reject(new TypeError('connect https://user:hunter2@store.test'))
      const { findings, cut, unanswered } = await check({ bytes: 0, limit: 1 })
      assert.deepEqual([findings.map(({ invariant }) => invariant), cut], [['variant-object'], ['variant-object']])
      assert.equal(unanswered.length, 1)
      assert.ok((unanswered[0]?.calls ?? 0) > 3)
      assert.equal(unanswered[0]?.isGivenUp, false)
    })

    it('give a store up that failed twenty times in a row, and one that answers in between not', async () => {
      for (let index = 0; index < 60; index += 1)
        await addObject(stand, { role: 'unmanaged', store: bucket.id, key: `unmanaged/${index}`, state: 'present' }, [])
      const said: string[] = []
      const deaf = () => Promise.reject(new TypeError('connect https://user:hunter2@store.test'))
      let asked = 0
      meanwhile.reading = () => ((asked += 1), deaf())
      const { unanswered } = await check({ bytes: 0, limit: 1, say: (line) => said.push(line) })
      assert.equal(unanswered[0]?.isGivenUp, true)
      assert.ok(asked >= 20 && asked < 28, `${asked} calls`)
      assert.equal(said.filter((line) => line.endsWith('failed 20 times in a row and is asked no more.')).length, 1)
      asked = 0
      meanwhile.reading = async () => ((asked += 1) % 10 === 0 ? undefined : deaf())
      const patient = await check({ bytes: 0, limit: 1 })
      assert.deepEqual([patient.unanswered[0]?.isGivenUp, asked > 60], [false, true])
    })

    it('read back another part of the objects at the same hour', async () => {
      const read = new Map<string, number>()
      meanwhile.sending = (key) => {
        read.set(key, (read.get(key) ?? 0) + 1)
        return null
      }
      await check({ bytes: Infinity })
      const all = read.size
      assert.ok(all >= 3, `${all} objects`)
      read.clear()
      let rounds = 0
      for (; read.size < all && rounds < 100; rounds += 1) await check({ bytes: 2 })
      assert.equal(read.size, all)
      assert.ok([...read.values()].every((times) => times < rounds))
    })

    it('are broken when an original never ends, and no more of it is read than its row says: stored, and no other', async () => {
      const { key, byte_size: byteSize } = await originalOf(stand, scene.shown)
      let sent = 0
      let isLetGo = false
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 16
          controller.enqueue(new Uint8Array(16))
        },
        cancel() {
          isLetGo = true
        },
      })
      meanwhile.sending = (asked) => (asked === key ? endless : null)
      assert.deepEqual(await found({ bytes: Infinity }), [`stored: an original of ${byteSize} bytes, of which storage gives more`])
      assert.ok(isLetGo && sent <= Number(byteSize) + 48, `${sent} bytes`)
    })

    it('tell of an object without a row where it lies, and of a row that is gone whose it was', async () => {
      const key = sealedKey(scene.loose, stand.ctx.ids.next(), 'png')
      await bucket.put(key, new Blob(['stray']).stream(), { contentType: 'image/png' })
      await history(stand, 'attachment', stand.ctx.ids.next(), scene.shown, 'attach', null, 'current')
      const { findings } = await check({ bytes: 0 })
      assert.deepEqual(
        findings.map(({ invariant, assetId, object }) => [invariant, assetId, object?.key ?? null]),
        [
          ['state-told', scene.shown, null],
          ['known', scene.loose, key],
        ],
      )
      assert.deepEqual(findings.at(-1)?.object?.store, bucket.id)
    })

    it('tell of what was listed before the listing broke off', async () => {
      const key = sealedKey(scene.loose, stand.ctx.ids.next(), 'png')
      await bucket.put(key, new Blob(['stray']).stream(), { contentType: 'image/png' })
      meanwhile.listing = () => Promise.reject(new TypeError('connect https://user:hunter2@store.test'))
      const { findings, unanswered, asked } = await check({ bytes: 0 })
      assert.deepEqual(
        findings.map(({ invariant, object }) => [invariant, object?.key]),
        [['known', key]],
      )
      assert.equal(unanswered.length, 1)
      assert.ok(asked.includes('due') && !asked.includes('known'))
    })

    it('stop when told to, with what was found until then', async () => {
      const reason = new Error('enough')
      const early = await check({ signal: AbortSignal.abort(reason) })
      assert.deepEqual([early.isStopped, early.looked.rows], [true, 0])
      await stand.database.query('update rindle.media_variants set byte_size = byte_size + 1 where asset_id = $1', [scene.shown])
      const control = new AbortController()
      meanwhile.reading = async () => control.abort(reason)
      const { findings, isStopped, unanswered, looked } = await check({ bytes: 0, signal: control.signal })
      assert.deepEqual([isStopped, looked.keys, unanswered], [true, 0, []])
      assert.ok(findings.length > 0 && findings.every(({ invariant }) => invariant === 'variant-object'))
    })

    const doctorSays = (...args: readonly string[]) => doctorSaysUntil(AbortSignal.timeout(60_000), ...args)
    const doctorSaysUntil = async (signal: AbortSignal, ...args: readonly string[]) => {
      const flags = Object.fromEntries(args.map((arg) => [arg.replace(/=.*/, ''), arg.includes('=') ? arg.replace(/.*=/, '') : true]))
      const profiles = stand.ctx.profiles
      const overrides = { clock: stand.clock, databaseClock: stand.clock.database, jail: stand.jail }
      const rindle = createTestRindle(
        {
          profiles,
          database: stand.database.given,
          secrets: ['a secret of the tests that is long enough'],
          baseUrl: 'http://localhost:1',
        },
        overrides,
      )
      try {
        return await doctor.run({ flags, argument: '', app: async () => rindle, print: () => undefined, say: () => undefined, signal })
      } finally {
        await rindle.close()
      }
    }

    it('are asked by `rindle doctor --invariants`, which is well where nothing is broken', async () => {
      const { ok, summary, rows, lines } = await doctorSays('invariants', 'bytes=all')
      assert.deepEqual([ok, rows, lines], [true, [], []], summary)
      assert.match(
        summary,
        /^1[78] of 19 invariants asked, not (uploads-known, )?quiet: \d+ rows, [1-9]\d* objects and [1-9]\d* listed keys, [1-9]\d* bytes read back, 0 findings\.$/,
      )
      const resting = await doctorSays('invariants', 'at-rest', 'bytes=none')
      assert.equal(resting.ok, false)
      assert.match(resting.summary, /^1[78] of 19 invariants asked, not (uploads-known, )?bytes: /)
    })

    it('are told by it with what is broken, where, and what to do, and nothing secret', async () => {
      await stand.database.query('update rindle.media_variants set byte_size = byte_size + 1 where asset_id = $1', [scene.shown])
      const { ok, rows, lines = [] } = await doctorSays('invariants')
      assert.equal(ok, false)
      assert.deepEqual(Object.keys(rows[0] ?? {}), ['invariant', 'entity', 'id', 'found', 'assetId', 'store', 'key', 'cure'])
      assert.deepEqual([rows[0]?.['assetId'], rows[0]?.['store']], [scene.shown, bucket.id])
      assert.match(lines[0] ?? '', /^broken {3}variant-object: A ready variant points/)
      const which = `, of asset ${scene.shown}: its object has another length or recipe than was recorded`
      assert.match(lines[1] ?? '', new RegExp(`^ {9}variant [0-9a-f-]{36}${which}$`))
      assert.equal(lines[2], `           at ${String(rows[0]?.['key'])} in ${bucket.id}`)
      assert.equal(lines.at(-1)?.trim(), invariants['variant-object'].cure)
      assert.doesNotMatch(JSON.stringify([rows, lines]), /https?:|secret/)
    })

    it('are told by it as far as it came, with the first error of a store', async () => {
      const stopped = await doctorSaysUntil(AbortSignal.abort(), 'invariants')
      assert.deepEqual([stopped.ok, stopped.stopped], [false, true])
      assert.match(stopped.summary, /^Stopped: nothing was asked/)
      const control = new AbortController()
      meanwhile.reading = async () => control.abort()
      const midway = await doctorSaysUntil(control.signal, 'invariants')
      assert.deepEqual([midway.stopped, midway.lines], [true, ['Stopped: not all was asked.']])
      assert.match(midway.summary, /^1[0-5] of 19 invariants asked, not stored, known, (uploads-known, )?bytes, quiet: /)
      meanwhile.reading = () => Promise.reject(new TypeError('connect https://user:hunter2@store.test'))
      const unknown = await doctorSays('invariants', 'bytes=none')
      const { message } = new RindleError('storage_failed', { operation: 'head', store: bucket.id })
      assert.ok(unknown.lines?.includes(`         First: storage_failed: ${message}`), unknown.lines?.join('\n'))
      assert.deepEqual(unknown.rows.at(-1)?.['error'], { code: 'storage_failed', message })
      assert.deepEqual([unknown.ok, unknown.stopped], [false, undefined])
      assert.doesNotMatch(JSON.stringify(unknown), /hunter2|store\.test/)
    })

    it('are not asked where the flags make no sense', async () => {
      await assert.rejects(doctorSays('bytes=all'), withCode('argument_invalid'))
      await assert.rejects(doctorSays('invariants', 'bytes=many'), withCode('argument_invalid'))
    })
  })
}
