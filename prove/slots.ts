import pg from 'pg'
import { memory } from '../src/adapters/storage/memory.ts'
import { contextOf, type RindleContext } from '../src/context.ts'
import { deliverableStates, gateStates, type AssetState } from '../src/core/asset.ts'
import { isRindleError } from '../src/core/errors.ts'
import type { Jail } from '../src/core/ports/jail.ts'
import type { StorageAdapter } from '../src/core/ports/storage.ts'
import { defineProfile } from '../src/core/profile-definition.ts'
import { jobs } from '../src/doors/worker/jobs.ts'
import { runWorker } from '../src/doors/worker/worker.ts'
import { attach } from '../src/flows/assets/attach.ts'
import { attachmentsFor } from '../src/flows/assets/attachments-for.ts'
import { detach } from '../src/flows/assets/detach.ts'
import { purge } from '../src/flows/assets/purge.ts'
import { settleSlots } from '../src/flows/assets/settle-slots.ts'
import { upload } from '../src/flows/uploads/upload.ts'
import { createTestRindle } from '../src/rindle.ts'
import type { EngineDatabase } from '../test/services/engines.ts'
import { engineNamed } from './database.ts'
import type { Proof, ProofContext, Random } from './harness.ts'

const callers = 32
const callsEach = 3
const assetsEach = 6
const quietMs = 20_000
const text = (name: string) => `the bytes of ${name}`

/**
 * Everybody at once puts files into the same few slots, takes them out and purges them, some within transactions of the app, while a worker
 * takes the files through the gate, settles, purges and deletes. When it is quiet again every slot and every file has to be accounted for.
 */
export const slots: Proof = {
  name: 'slots',
  means:
    'of 32 callers racing attach, replace, detach and purge no two win a slot, no loser is left behind, and nothing attached loses its bytes',
  unit: 'rounds',
  amount: { ci: 6, full: 300 },
  async run(proof) {
    const database = await engineNamed('postgres').open()
    const pool = new pg.Pool({ connectionString: database.place, max: callers + 16 })
    const rindle = createTestRindle(
      {
        database: pool,
        secrets: ['a secret of the proof that is long enough'],
        baseUrl: 'http://localhost:1/media',
        profiles: {
          file: defineProfile({ kind: 'file', storage: watched(memory(), database, proof), allowMime: ['text/plain'], maxBytes: 1000 }),
        },
        slots: { one: { profile: 'file' }, many: { profile: 'file', many: true } },
      },
      { jail: judge },
    )
    await rindle.ready()
    const ctx = contextOf(rindle)
    const worker = runWorker(ctx, jobs, { concurrency: 4 })
    const counts: Counts = { calls: 0, attached: 0, refused: 0, purged: 0, kept: 0 }
    try {
      for (let round = 0; round < proof.amount && !proof.signal.aborted; round++) {
        await playRound({ ctx, pool, database, proof, counts, round, random: proof.random.fork(round) })
        if ((round + 1) % 25 === 0) proof.note(`${round + 1} rounds, ${counts.calls} calls`)
      }
      return { runs: counts.calls, figures: { rounds: proof.amount, callers, ...counts } }
    } finally {
      await worker.stop()
      await rindle.close()
      await pool.end()
      await database.close()
    }
  },
}

interface Counts {
  calls: number
  attached: number
  refused: number
  purged: number
  kept: number
}

interface Round {
  readonly ctx: RindleContext
  readonly pool: pg.Pool
  readonly database: EngineDatabase
  readonly proof: ProofContext
  readonly counts: Counts
  readonly round: number
  readonly random: Random
}

interface SlotOfRound {
  readonly owner: { readonly type: string; readonly id: number }
  readonly slot: 'one' | 'many'
}

/** Says yes to every file but those named `bad`, without a look at them: slots are what is on trial. */
const judge: Jail = {
  async visit({ filename }) {
    if (filename.startsWith('bad')) return { verdict: 'refuse', code: 'type_unknown', message: 'It is of no known type.', details: {} }
    const facts = { kind: 'file', contentType: 'text/plain', extension: 'txt', placeholder: null, dominantColor: null } as const
    const shape = { width: null, height: null, frames: null, hasAlpha: null, durationMs: null, hasVideoTrack: null, hasAudioTrack: null }
    return { verdict: 'pass', facts: { ...facts, ...shape }, rewritten: null, variants: [], figures: { gateCpuMs: 0, cpuMs: 0 } }
  },
  warm: async () => {},
  report: async () => ({ walls: [], versions: {}, decodes: [], missing: {} }),
  close: async () => {},
}

/** At the moment of its deletion no original may belong to an asset that a slot shows or will. */
const watched = (store: StorageAdapter, database: EngineDatabase, { breach }: ProofContext): StorageAdapter => ({
  ...store,
  async delete(key, options) {
    const assetId = /^sealed\/([^/]+)\//.exec(key)?.[1]
    if (assetId) {
      const shown = await database.query(`select 1 from rindle.media_attachments where asset_id = $1 and standing <> 'released'`, [assetId])
      if (shown.length > 0) breach(`the bytes of asset ${assetId} are deleted while it is attached`)
    }
    return store.delete(key, options)
  },
})

async function playRound(round: Round): Promise<void> {
  const { ctx, random } = round
  const owners = [0, 1].map((i) => ({ type: 'Racer', id: round.round * 2 + i }))
  const rooms: SlotOfRound[] = owners.flatMap((owner) => [
    { owner, slot: 'one' as const },
    { owner, slot: 'many' as const },
  ])
  const names = Array.from({ length: assetsEach }, (_, i) => `${random.chance(0.2) ? 'bad' : 'good'}-${round.round}-${i}.txt`)
  const assets = await Promise.all(names.map(async (filename) => (await upload(ctx, 'file', Buffer.from(text(filename)), { filename })).id))
  if (random.chance(0.5)) await quiet(round, assets)

  const attached = new Set<string>()
  const purged = new Set<string>()
  await Promise.all(
    Array.from({ length: callers }, (_, caller) => play(round, random.fork(`caller ${caller}`), { rooms, assets, attached, purged })),
  )
  await quiet(round, assets)
  await judgeRound(round, { rooms, assets, names, attached, purged })
}

interface Board {
  readonly rooms: readonly SlotOfRound[]
  readonly assets: readonly string[]
  /** Assets that some attach was told, after its commit, to stand in a slot. */
  readonly attached: Set<string>
  readonly purged: Set<string>
}

async function play({ ctx, pool, proof, counts }: Round, random: Random, { rooms, assets, attached, purged }: Board): Promise<void> {
  for (let call = 0; call < callsEach; call++) {
    const { owner, slot } = random.pick(rooms)
    const asset = random.pick(assets)
    const dice = random.next()
    counts.calls += 1
    try {
      if (dice < 0.5) {
        await attach(ctx, asset, owner, slot)
        attached.add(asset)
        counts.attached += 1
      } else if (dice < 0.7) {
        const commits = random.chance(0.7)
        await theirs(pool, commits, async (tx) => {
          await attach(ctx, asset, owner, slot, { tx })
          if (random.chance(0.5)) await tx.query('select pg_sleep(0.01)')
        })
        if (commits) attached.add(asset)
      } else if (dice < 0.9) await detach(ctx, owner, slot, { ...(slot === 'many' || random.chance(0.3) ? { asset } : {}) })
      else {
        await purge(ctx, asset)
        purged.add(asset)
      }
    } catch (err) {
      const expected = isRindleError(err) && (err.code === 'asset_not_attachable' || err.code === 'asset_attached')
      if (expected) counts.refused += 1
      else proof.breach(`a caller was told ${isRindleError(err) ? err.code : String(err)}: ${err instanceof Error ? err.stack : ''}`)
    }
  }
}

/** A transaction of the app, ended as it likes. */
async function theirs(pool: pg.Pool, commits: boolean, run: (tx: pg.PoolClient) => Promise<void>): Promise<void> {
  const tx = await pool.connect()
  try {
    await tx.query('begin')
    await run(tx)
    await tx.query(commits ? 'commit' : 'rollback')
  } catch (err) {
    await tx.query('rollback')
    throw err
  } finally {
    tx.release()
  }
}

/** Waits until nothing is owed to these assets any more. What a worker would come back to in a minute is asked for at once. */
async function quiet({ ctx, database, proof }: Round, assets: readonly string[]): Promise<void> {
  const patience = performance.now() + quietMs
  for (;;) {
    const owed = await database.query(
      `select 'gate' as what, id from rindle.media_assets where id = any($1) and state in ('validating', 'analyzing')
       union all select 'slot', asset_id from rindle.media_attachments where asset_id = any($1) and standing <> 'released' and due_at is not null
       union all select 'released', t.asset_id from rindle.media_attachments t join rindle.media_assets a on a.id = t.asset_id
                  where t.asset_id = any($1) and t.standing = 'released' and not (a.state = 'quarantined' and t.due_at = a.due_at)
       union all select 'object', id from rindle.media_objects where asset_id = any($1) and state = 'doomed'`,
      [assets],
    )
    if (owed.length === 0) return
    if (performance.now() > patience) {
      const left = owed.map(({ what, id }) => `${String(what)} ${String(id)}`).join(', ')
      return proof.breach(`${quietMs} ms after the last call still owed: ${left}`)
    }
    ctx.queue.notify()
    for (const { what, id } of owed) if (what === 'slot') await settleSlots(ctx, String(id))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function judgeRound({ ctx, database, proof, counts }: Round, board: Board & { readonly names: readonly string[] }): Promise<void> {
  const { rooms, assets, names, attached, purged } = board
  const shown = new Set<string>()
  for (const { owner, slot } of rooms) {
    const where = `${slot} of ${owner.id}`
    const rows = await database.query(
      `select asset_id, standing from rindle.media_attachments where owner_type = $1 and owner_id = $2 and slot = $3 and standing <> 'released'`,
      [owner.type, String(owner.id), slot],
    )
    if (slot === 'one' && rows.length > 1) proof.breach(`${where} holds ${rows.length} at once`)
    if (new Set(rows.map((row) => row['asset_id'])).size !== rows.length) proof.breach(`${where} holds the same asset twice`)
    const [list] = await attachmentsFor(ctx, [owner], slot)
    if (list?.length !== rows.length) proof.breach(`${where} holds ${rows.length} and shows ${list?.length}`)
    for (const { asset } of list ?? []) shown.add(asset.id)
  }
  for (const [i, id] of assets.entries()) {
    const [row] = await database.query('select state from rindle.media_assets where id = $1', [id])
    const state = row?.['state'] as AssetState | undefined
    const name = names[i] ?? ''
    if (shown.has(id)) await judgeShown(ctx, proof, { id, name, state })
    else if (attached.has(id) && state !== 'deleted' && state !== 'quarantined')
      proof.breach(`asset ${id} lost its slots and is ${state}, not deleted`)
    if (purged.has(id) && state !== 'deleted') proof.breach(`asset ${id} was purged and is ${state}`)
    if (state && gateStates.includes(state)) proof.breach(`asset ${id} is still ${state}`)
    if (state === 'quarantined' && !name.startsWith('bad')) proof.breach(`asset ${id} is quarantined`)
    if (state === 'deleted') counts.purged += 1
    else counts.kept += 1
    if (state === 'deleted') {
      const left = await database.query(`select 1 from rindle.media_objects where asset_id = $1 and state not in ('watched')`, [id])
      if (left.length > 0) proof.breach(`${left.length} objects of the purged asset ${id} are left`)
    }
  }
}

async function judgeShown(
  ctx: RindleContext,
  { breach }: ProofContext,
  { id, name, state }: { readonly id: string; readonly name: string; readonly state: AssetState | undefined },
): Promise<void> {
  if (!state || !deliverableStates.includes(state)) return breach(`asset ${id} is attached and ${state}`)
  const [original] = await ctx.db.pool
    .selectFrom('rindle.media_objects as o')
    .innerJoin('rindle.media_assets as a', 'a.object_id', 'o.id')
    .select(['o.store', 'o.key', 'o.state'])
    .where('a.id', '=', id)
    .execute()
  const stored = original && (await ctx.stores.at(original.store).read(original.key))
  const bytes = stored ? await new Response(stored.body).text() : null
  if (original?.state !== 'present' || bytes !== text(name)) breach(`asset ${id} is attached and its bytes are gone`)
}
