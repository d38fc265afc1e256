import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { v7 } from 'uuid'
import { assetMachine } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { objectMachine } from '../../src/core/object.ts'
import { secondsAfter } from '../../src/core/patience.ts'
import { variantMachine } from '../../src/core/variant.ts'
import type { Database, Queryable } from '../../src/database/database.ts'
import { also, born, lookAgainOnMiss, move, moved } from '../../src/database/move.ts'
import { fixedMoves, moves, shapedMoves } from '../../src/database/statement.ts'
import { everyCarrier } from './database-carriers.ts'

const noon = new Date('2026-01-01T12:00:00.123Z')
const later = new Date('2026-01-01T12:30:00.000Z')

/** What `moves` needs of the queue: one statement that writes the job. Its table is the test's own. */
const recorder = (notified: string[] = []) => ({
  clock: { now: () => noon },
  queue: {
    insertion: (jobs: readonly { name: string; id: string; delaySeconds?: number }[]) => ({
      text: `insert into public.test_jobs (name, subject, again) select j->>'name', j->>'id', $2::text from jsonb_array_elements($1::jsonb) j where $2::text is not null returning 1`,
      values: [JSON.stringify(jobs), 'once?'],
    }),
    notify: () => void notified.push('notified'),
  },
})

const assetRow = (id: string) => ({
  id,
  profile: 'avatar',
  filename: 'mé?.jpg',
  content_type: 'image/jpeg',
  metadata: { from: 'a "test"' },
})

const bornAsset = async (db: Queryable, path: readonly 'accept'[] = []) => {
  const id = v7()
  const row = { ...assetRow(id), due_at: path.length > 0 ? later : null }
  await moves(db, recorder(), [born('asset', assetMachine, path, { rows: [row] })])
  return id
}

const historyOf = async (db: Queryable, id: string) => {
  const { rows } = await sql<{ move: string; from_state: string | null; to_state: string }>`
    select move, from_state, to_state from rindle.state_moves where entity_id = ${id}::uuid order by seq`.execute(db)
  return rows.map((row) => `${row.move}: ${row.from_state} → ${row.to_state}`)
}

const assetOf = (db: Queryable, id: string) =>
  db.selectFrom('rindle.media_assets').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

const jobsOf = async (db: Queryable, id: string) => {
  const { rows } = await sql<{ name: string; again: string }>`select name, again from public.test_jobs where subject = ${id}::text`.execute(
    db,
  )
  return rows
}

const every = everyCarrier()
before(async () => {
  await every.open()
  for (const { db } of every.carriers)
    await db().script('create table if not exists public.test_jobs (name text, subject text, again text)')
})
after(() => every.close())

for (const { name, db: opened } of every.carriers) {
  const on = () => opened().pool

  describe(`moves on ${name}`, () => {
    it('insert a row with its text, JSON, times and bytes, and write its birth and its path down', async () => {
      const assetId = v7()
      const objectId = v7()
      await moves(on(), recorder(), [
        born('asset', assetMachine, ['accept'], {
          rows: [{ ...assetRow(assetId), due_at: later, received_sha256: new Uint8Array([0, 255, 16]) }],
        }),
        born('object', objectMachine, [], {
          rows: [{ id: objectId, role: 'staging', store: 'memory:', key: objectId }],
          columns: { asset_id: sql`asset.id` },
          from: sql`asset`,
        }),
      ])
      const asset = await assetOf(on(), assetId)
      assert.equal(asset.state, 'validating')
      assert.equal(asset.previous_state, null)
      assert.equal(asset.filename, 'mé?.jpg')
      assert.deepEqual(asset.metadata, { from: 'a "test"' })
      assert.deepEqual(asset.received_sha256, new Uint8Array([0, 255, 16]))
      assert.deepEqual([asset.due_at, asset.inserted_at, asset.state_changed_at], [later, noon, noon])
      assert.deepEqual(await historyOf(on(), assetId), ['born: null → staged', 'accept: staged → validating'])
      assert.deepEqual(await historyOf(on(), objectId), ['born: null → reserved'])
    })

    it('bind whatever data looks like, also what looks like text of our own', async () => {
      const id = await bornAsset(on())
      const set = { metadata: { written: `(select '{"a":1}'::jsonb)` } }
      await moves(on(), recorder(), [moved('asset', assetMachine, [], { set, where: sql`t.id = ${id}::uuid` })])
      assert.deepEqual((await assetOf(on(), id)).metadata, set.metadata)
    })

    it('take rows of several machines along their paths, each step in the history, in order', async () => {
      const id = await bornAsset(on(), ['accept'])
      const objectId = v7()
      await moves(on(), recorder(), [
        moved('asset', assetMachine, ['analyze'], { set: { fence: sql`t.fence + 1`, due_at: later }, where: sql`t.id = ${id}::uuid` }),
        born('object', objectMachine, [], { rows: [{ id: objectId, role: 'original', store: 'memory:', key: objectId, asset_id: id }] }),
      ])
      const results = await moves(
        on(),
        recorder(),
        [
          moved('asset', assetMachine, ['promote', 'admit', 'process'], {
            set: { object_id: objectId, byte_size: 3_000_000_000, received_sha256: new Uint8Array([1]), passed_at: noon },
            where: sql`t.id = ${id}::uuid and t.fence = ${1}::integer`,
            returning: ['revision', 'byte_size', 'passed_at', 'received_sha256'],
          }),
          moved('sealed', objectMachine, ['confirm'], {
            set: { etag: 'x' },
            from: sql`asset`,
            where: sql`t.id = ${objectId}::uuid and t.asset_id = asset.id`,
          }),
        ],
        { actor: 'worker', reason: "it's fine" },
      )
      const returned = results['asset']?.[0]
      assert.equal(returned?.['revision'], 2)
      assert.equal(returned?.['byte_size'], 3_000_000_000)
      assert.equal(returned?.['previous_state'], 'analyzing')
      assert.equal(new Date(String(returned?.['passed_at'])).getTime(), noon.getTime())
      assert.equal(returned?.['received_sha256'], '\\x01')
      assert.deepEqual(await historyOf(on(), id), [
        'born: null → staged',
        'accept: staged → validating',
        'analyze: validating → analyzing',
        'promote: analyzing → promoting',
        'admit: promoting → available',
        'process: available → processing',
      ])
      assert.deepEqual(await historyOf(on(), objectId), ['born: null → reserved', 'confirm: reserved → present'])
      const { rows } = await sql<{ actor: string; reason: string; n: number }>`
        select actor, reason, count(*)::integer as n from rindle.state_moves where asset_id = ${id}::uuid and actor is not null group by 1, 2`.execute(
        on(),
      )
      assert.deepEqual(rows, [{ actor: 'worker', reason: "it's fine", n: 4 }])
    })

    it('clear the due date of what comes to rest, unless they are told one', async () => {
      const id = await bornAsset(on(), ['accept'])
      await move(on(), recorder(), assetMachine, id, ['analyze'])
      assert.deepEqual((await assetOf(on(), id)).due_at, later)
      await move(on(), recorder(), assetMachine, id, ['promote', 'admit'])
      assert.equal((await assetOf(on(), id)).due_at, null)
    })

    it('undo everything when one step touches another number of rows than it must', async () => {
      const id = await bornAsset(on(), ['accept'])
      const objectId = v7()
      const attempt = moves(
        on(),
        recorder(),
        [
          moved('asset', assetMachine, ['analyze'], { where: sql`t.id = ${id}::uuid` }),
          born('object', objectMachine, [], { rows: [{ id: objectId, role: 'original', store: 'memory:', key: objectId, asset_id: id }] }),
          moved('sealed', objectMachine, ['confirm'], { where: sql`t.id = ${v7()}::uuid` }),
        ],
        { jobs: [{ name: 'promote_asset', id }] },
      )
      await assert.rejects(attempt, (err) => isRindleError(err) && err.code === 'statement_missed' && err.details.step === 'sealed')
      assert.equal((await assetOf(on(), id)).state, 'validating')
      assert.deepEqual(await historyOf(on(), id), ['born: null → staged', 'accept: staged → validating'])
      assert.deepEqual(await historyOf(on(), objectId), [])
      assert.deepEqual(await jobsOf(on(), id), [])
    })

    it('enqueue the jobs in the same statement, and notify after it', async () => {
      const id = await bornAsset(on())
      const notified: string[] = []
      await moves(
        on(),
        recorder(notified),
        [moved('asset', assetMachine, ['accept'], { set: { due_at: later }, where: sql`t.id = ${id}::uuid` })],
        {
          jobs: [{ name: 'promote_asset', id }],
        },
      )
      assert.deepEqual(await jobsOf(on(), id), [{ name: 'promote_asset', again: 'once?' }])
      assert.deepEqual(notified, ['notified'])
    })

    it('notify only once the transaction around them has committed', async () => {
      const id = await bornAsset(on())
      const notified: string[] = []
      const accept = (tx: Queryable) =>
        moves(
          tx,
          recorder(notified),
          [moved('asset', assetMachine, ['accept'], { set: { due_at: later }, where: sql`t.id = ${id}::uuid` })],
          {
            jobs: [{ name: 'promote_asset', id }],
          },
        )
      const failing = opened().transaction(async (tx) => {
        await accept(tx)
        throw new TypeError('changed my mind')
      })
      await assert.rejects(failing, TypeError)
      assert.deepEqual(notified, [])
      await opened().transaction(async (tx) => {
        await accept(tx)
        assert.deepEqual(notified, [])
      })
      assert.deepEqual(notified, ['notified'])
      assert.equal((await jobsOf(on(), id)).length, 1)
    })

    it('send a row that is there already back to the beginning of the path', async () => {
      const assetId = await bornAsset(on())
      const plan = (id: string, digest: number) =>
        moves(on(), recorder(), [
          born('variants', variantMachine, ['enqueue'], {
            rows: [{ id, asset_id: assetId, name: 'thumb', output_kind: 'image', recipe_digest: new Uint8Array([digest]), due_at: later }],
            conflict: {
              target: sql`(asset_id, name)`,
              update: {
                move: 'plan_again',
                set: { recipe_digest: sql`excluded.recipe_digest`, due_at: sql`excluded.due_at`, fence: sql`t.fence + 1` },
              },
            },
            returning: ['name', 'fence'],
          }),
        ])
      const first = v7()
      const planned = await plan(first, 1)
      await move(on(), recorder(), variantMachine, first, ['start', 'fail'])
      const again = await plan(v7(), 2)
      assert.deepEqual(planned['variants'], [{ id: first, asset_id: assetId, previous_state: null, name: 'thumb', fence: 0 }])
      assert.deepEqual(again['variants'], [{ id: first, asset_id: assetId, previous_state: 'failed', name: 'thumb', fence: 1 }])
      assert.deepEqual(await historyOf(on(), first), [
        'born: null → planned',
        'enqueue: planned → queued',
        'start: queued → processing',
        'fail: processing → failed',
        'plan_again: failed → planned',
        'enqueue: planned → queued',
      ])
    })

    it('leave a row that is there already alone when they are told so', async () => {
      const id = await bornAsset(on())
      const again = await moves(on(), recorder(), [
        born('asset', assetMachine, [], { rows: [assetRow(id)], conflict: { target: sql`(id)` }, expect: null, returning: ['id'] }),
      ])
      assert.deepEqual(again, { asset: [] })
      assert.deepEqual(await historyOf(on(), id), ['born: null → staged'])
    })

    it('insert rows whose columns differ, and none at all', async () => {
      const [one, two] = [v7(), v7()]
      await moves(on(), recorder(), [
        born('assets', assetMachine, [], { rows: [assetRow(one), { ...assetRow(two), owner_type: 'User', owner_id: '7' }] }),
      ])
      assert.equal((await assetOf(on(), two)).owner_id, '7')
      await moves(on(), recorder(), [
        moved('asset', assetMachine, [], { where: sql`t.id = ${one}::uuid` }),
        born('objects', objectMachine, [], { rows: [] }),
      ])
      assert.deepEqual([(await assetOf(on(), one)).revision, (await historyOf(on(), one)).length], [1, 1])
    })

    it('carry a step of another kind along, counted like the rest', async () => {
      const id = await bornAsset(on())
      const renamed = also(
        'renamed',
        sql`update rindle.media_assets t set filename = ${'what?.png'} where t.id = ${id}::uuid returning t.id, t.filename`,
        {
          expect: sql`(select ${1}::integer)`,
          returns: true,
        },
      )
      assert.deepEqual((await moves(on(), recorder(), [renamed]))['renamed'], [{ id, filename: 'what?.png' }])
    })

    it('undo everything when a step of one row touched two', async () => {
      const ids = [await bornAsset(on()), await bornAsset(on())]
      for (const returning of [{}, { returning: ['state'] }]) {
        const attempt = moves(on(), recorder(), [
          moved('asset', assetMachine, ['accept'], { set: { due_at: later }, where: sql`t.id = any(${ids}::uuid[])`, ...returning }),
        ])
        await assert.rejects(attempt, (err) => isRindleError(err) && err.code === 'statement_missed')
      }
      for (const id of ids) assert.equal((await assetOf(on(), id)).state, 'staged')
    })

    it('run a text that was written once with the values, the instant and the jobs of each run', async () => {
      let written = 0
      const opened = shapedMoves<{ id: string; filename: string }, { isAccepted: boolean }>(({ id, filename }, at, { isAccepted }) => {
        written += 1
        const row = { id, profile: 'avatar', filename, content_type: 'image/jpeg' }
        return [
          born('asset', assetMachine, isAccepted ? ['accept'] : [], {
            row,
            columns: { due_at: sql`${isAccepted ? at : null}::timestamptz` },
            returning: ['filename'],
          }),
        ]
      })
      const ids = [v7(), v7(), v7()]
      for (const [i, id] of ids.entries()) {
        const at = new Date(noon.getTime() + i)
        const jobs = [{ name: 'promote_asset', id }] as const
        const { asset } = await opened(on(), recorder(), { id, filename: `${i}.jpg` }, { isAccepted: i === 2 }, { at, jobs })
        assert.equal(asset?.[0]?.['filename'], `${i}.jpg`)
        const row = await assetOf(on(), id)
        assert.deepEqual([row.inserted_at, row.due_at, row.state], [at, i === 2 ? at : null, i === 2 ? 'validating' : 'staged'])
        assert.equal((await jobsOf(on(), id)).length, 1)
      }
      assert.equal(written, 2)
    })

    it('refuse to reckon from the instant of a text that is written once', async () => {
      const id = await bornAsset(on())
      const reckoned: readonly ((at: Date) => unknown)[] = [
        (at) => secondsAfter(at, 60),
        (at) => at.toISOString(),
        (at) => `${String(at)}`,
        (at) => (at > noon ? later : noon),
      ]
      const acceptedAt = (dueAt: (at: Date) => unknown) =>
        fixedMoves<{ id: string }>((given, at) => [
          moved('asset', assetMachine, ['accept'], { set: { due_at: dueAt(at) }, where: sql`t.id = ${given.id}::uuid` }),
        ])(on(), recorder(), { id })
      for (const dueAt of reckoned) await assert.rejects(acceptedAt(dueAt), (err) => isRindleError(err) && err.code === 'argument_invalid')
      await assert.rejects(acceptedAt((at) => new Date(at)))
      assert.equal((await assetOf(on(), id)).state, 'staged')
    })

    it('refuse a path that the machine does not know before anything is sent', async () => {
      const wrong: () => unknown = () => moved('asset', assetMachine, ['accept', 'admit'], { where: sql`true` })
      assert.throws(wrong, (err) => isRindleError(err) && err.code === 'argument_invalid')
    })
  })

  describe(`one move on ${name}`, () => {
    it('says what it found when the row is in another state, or not there', async () => {
      const id = await bornAsset(on())
      await assert.rejects(
        move(on(), recorder(), assetMachine, id, 'promote'),
        (err) =>
          isRindleError(err) &&
          err.code === 'state_conflict' &&
          err.details.actual === 'staged' &&
          err.details.expected.includes('analyzing'),
      )
      await assert.rejects(
        move(on(), recorder(), assetMachine, v7(), 'promote'),
        (err) => isRindleError(err) && err.code === 'state_conflict' && err.details.actual === 'absent',
      )
      const inside = opened().transaction((tx) => move(tx, recorder(), assetMachine, id, 'promote'))
      await assert.rejects(inside, (err) => isRindleError(err) && err.code === 'state_conflict')
    })

    it('lets one of two simultaneous ones through', async () => {
      const id = await bornAsset(on())
      const both = await Promise.allSettled(
        [1, 2].map(() => move(on(), recorder(), assetMachine, id, 'accept', { set: { due_at: later } })),
      )
      assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
      assert.equal((await historyOf(on(), id)).length, 2)
    })
  })
}

describe('a statement that misses', () => {
  const attemptsOf = async (db: Database, limit: number) => {
    let attempts = 0
    const missing = () => {
      attempts += 1
      return moves(db.pool, recorder(), [moved('asset', assetMachine, [], { where: sql`t.id = ${v7()}::uuid` })])
    }
    await assert.rejects(lookAgainOnMiss(missing, { limit }), (err) => isRindleError(err) && err.code === 'statement_missed')
    return attempts
  }

  it('is looked at again as often as is allowed, and no more', async () => {
    const [carrier] = every.carriers
    assert.equal(await attemptsOf(carrier!.db(), 3), 3)
    assert.equal(await attemptsOf(carrier!.db(), 1), 1)
  })
})
