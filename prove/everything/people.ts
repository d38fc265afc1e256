import { isRindleError } from '../../src/core/errors.ts'
import type { SignedRequest } from '../../src/core/ports/storage.ts'
import type { MemoryBucket } from '../../src/testing/memory-bucket.ts'
import type { Random } from '../harness.ts'
import type { Witness } from '../judge.ts'
import { filmKinds } from '../scenarios/fake-films.ts'
import { type App, type ProfileOfApp, profilesOfApp, type SlotOfApp, slotsOfApp } from './app.ts'
import { type Bytes, filmOf, pictureOf } from './files.ts'
import type { Orderable, Orders } from './orders.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { poison, poisonAt, poisonOfEncodesAt, sha256Of, type UnreliablePorts } from './unreliable-ports.ts'

/** What people know of each other's doings. */
export interface Board {
  readonly assets: { readonly id: string; readonly profile: ProfileOfApp; readonly isPoisoned: boolean }[]
  readonly sessions: string[]
  /** Assets that some attach put into a slot, and committed. */
  readonly attached: Set<string>
  readonly counts: Record<string, number>
}

/** What people of a storm meet with. */
export interface Surroundings {
  readonly web: SimulatedProcess
  readonly ports: UnreliablePorts
  readonly witness: Witness
  readonly board: Board
  readonly orders: Orders
  readonly owners: number
  readonly breach: (text: string, assetId?: string) => void
}

/** Answers that mean nothing is wrong with the library, only with the storm. */
const refusals: ReadonlySet<string> = new Set([
  'storage_failed',
  'upload_object_missing',
  'upload_size_mismatch',
  'upload_type_mismatch',
  'upload_session_expired',
  'upload_session_ended',
  'upload_session_not_found',
  'upload_parts_missing',
  'upload_parts_mismatch',
  'upload_checksum_mismatch',
  'asset_not_found',
  'asset_not_attachable',
  'asset_not_available',
  'asset_attached',
  'quarantine_not_releasable',
  'quarantine_expired',
])

/** One person, or the app for them: does so many things one after another, whatever comes of them. */
export const live = async (around: Surroundings, random: Random, turns: number): Promise<void> => {
  for (let turn = 0; turn < turns; turn += 1) {
    const [name, act] = drawn(random)
    around.board.counts[name] = (around.board.counts[name] ?? 0) + 1
    try {
      await act(around, random)
    } catch (err) {
      judgeAnswer(around, name, err)
    }
    if (random.chance(0.5)) await rest(random.int(500))
  }
}

const judgeAnswer = ({ board, breach }: Surroundings, name: string, err: unknown): void => {
  if (err instanceof DOMException && err.name === 'NetworkError') return
  const code = isRindleError(err) ? err.code : 'none'
  board.counts[code] = (board.counts[code] ?? 0) + 1
  const isTheirs = name === 'transaction' && code === 'transaction_conflict'
  const isReleased = name === 'release' && code === 'state_conflict'
  if (refusals.has(code) || isTheirs || isReleased) return
  const told = err instanceof Error ? `${err.message} ${err.stack} ${err.cause instanceof Error ? err.cause.message : ''}` : String(err)
  breach(`${name} was told ${code}: ${told}`)
}

type Act = (around: Surroundings, random: Random) => Promise<void>

const uploadInOne: Act = async (around, random) => {
  const { app } = around.web
  const { profile, filename, good, bad, isPoisoned } = papers(random)
  const bytes = random.pick([good, good, good, bad])
  const declared = random.chance(0.2) ? { sha256: sha256Of(good) } : {}
  const expiry = random.chance(0.3) ? { expiresInSeconds: 60 + random.int(600) } : {}
  const session = await app.initiateUpload(profile, { filename, byteSize: good.byteLength, ...declared, ...expiry })
  known(around, session.assetId, profile, isPoisoned, session.id)
  if (random.chance(0.05)) return
  const { presigned } = await app.signUpload(session.id)
  if (random.chance(0.05)) await landWrongLength(around, session.id, profile, bytes)
  await sent(around, profile, presigned, bytes)
  if (random.chance(0.15)) await sent(around, profile, presigned, random.pick([good, bad]))
  if (random.chance(0.05)) return
  const swap = random.chance(0.3) ? rest(random.int(40)).then(() => sent(around, profile, presigned, bad)) : null
  await verified(random, () => app.verifyCompletion(session.id))
  await swap
}

/** Verifies as browsers do that are impatient: twice at once, and again when that may help. */
const verified = async (random: Random, verify: () => Promise<unknown>): Promise<void> => {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const outcomes = await Promise.allSettled(random.chance(0.3) ? [verify(), verify()] : [verify()])
    const wrong = outcomes.find((outcome) => outcome.status === 'rejected')
    if (!wrong) return
    if (attempt === 2 || !isRindleError(wrong.reason) || !wrong.reason.retryable) throw wrong.reason
    await rest(random.int(30))
  }
}

/** A server that does not look at the length of what it is sent. */
const landWrongLength = async (
  { web, ports, witness }: Surroundings,
  sessionId: string,
  profile: ProfileOfApp,
  bytes: Bytes,
): Promise<void> => {
  const { rows } = await web.pool.query(
    'select o.key from rindle.media_upload_sessions s join rindle.media_objects o on o.id = s.object_id where s.id = $1',
    [sessionId],
  )
  const key = rows[0]?.key
  if (typeof key !== 'string') return
  const body = new Blob([bytes, bytes]).stream()
  await witness.landing(key)
  await bucketOf(ports, profile).adapter.put(key, body, { contentType: profile === 'lesson' ? 'video/mp4' : 'image/png' })
}

const uploadInParts: Act = async (around, random) => {
  const { app } = around.web
  const { profile, filename, good, bad, isPoisoned } = papers(random)
  const partBytes = 100
  const begun = await app.initiateMultipartUpload(profile, { filename, byteSize: good.byteLength, partBytes })
  const { session } = begun
  known(around, session.assetId, profile, isPoisoned, session.id)
  for (let number = 1; (number - 1) * partBytes < good.byteLength; number += 1) {
    if (random.chance(0.02)) return
    const { presigned } = await app.signMultipartPart(session.id, number)
    const slice = (whole: Bytes): Bytes => whole.slice((number - 1) * partBytes, number * partBytes)
    for (let attempt = 0; attempt < 2; attempt += 1) await sent(around, profile, presigned, slice(random.chance(0.1) ? bad : good))
  }
  await verified(random, () => app.completeMultipartUpload(session.id))
}

const uploadThroughApp: Act = async (around, random) => {
  const { profile, filename, good, bad, isPoisoned } = papers(random)
  const asset = await around.web.app.upload(profile, random.chance(0.85) ? good : bad, { filename })
  known(around, asset.id, profile, isPoisoned, null)
}

const attachOne: Act = async (around, random) => {
  const { slot, profile } = random.pick(slotsOfApp)
  const asset = anAsset(around, random, profile)
  if (!asset) return
  await attachIn(around.web.app, asset, aSlot(around, random, slot))
  around.board.attached.add(asset)
}

type Place = { readonly owner: { readonly type: string; readonly id: number }; readonly slot: SlotOfApp['slot'] }

const attachIn = (app: App, asset: string, { owner, slot }: Place, tx?: object): Promise<unknown> =>
  app.attach(asset, owner, slot, tx ? { tx } : {})

const detachOne: Act = async (around, random) => {
  const { slot, profile, many } = random.pick(slotsOfApp)
  const asset = anAsset(around, random, profile)
  const place = aSlot(around, random, slot)
  if (many && !asset) return
  await around.web.app.detach(place.owner, slot, many && asset ? { asset } : {})
}

/** An app's own transaction, which does something of its own, stays open for long, and ends as it likes. */
const transaction: Act = async (around, random) => {
  const { web, board, witness, orders } = around
  const tx = await web.pool.connect()
  const broken = (): void => undefined
  tx.on('error', broken)
  const attached: string[] = []
  let ended = false
  try {
    await tx.query(random.chance(0.15) ? 'begin isolation level repeatable read' : 'begin')
    await tx.query('insert into public.app_rows (words) values ($1)', ['some'])
    const owner = random.int(around.owners)
    const places = random.shuffle(slotsOfApp).slice(0, 1 + random.int(2))
    for (const { slot, profile, many } of [...places].sort((one, other) =>
      lockOf(owner, one.slot) < lockOf(owner, other.slot) ? -1 : 1,
    )) {
      const asset = anAsset(around, random, profile)
      if (!asset) continue
      const place = { owner: { type: 'Person', id: owner }, slot }
      if (random.chance(0.7)) {
        await attachIn(web.app, asset, place, tx)
        attached.push(asset)
      } else await web.app.detach(place.owner, slot, { tx, ...(many ? { asset } : {}) })
      await rest(random.chance(0.1) ? 800 : random.int(150))
    }
    if (random.chance(0.25)) await orderOf(around, random, tx)
    const commits = random.chance(0.8)
    await tx.query(commits ? 'commit' : 'rollback')
    ended = true
    for (const whoLooks of [witness, orders]) whoLooks.ended(tx, commits ? 'yes' : 'no')
    if (commits) for (const asset of attached) board.attached.add(asset)
  } finally {
    if (!ended) {
      await tx.query('rollback').catch(() => undefined)
      for (const whoLooks of [witness, orders]) whoLooks.ended(tx, 'maybe')
    }
    tx.off('error', broken)
    tx.release()
  }
}

const lockOf = (owner: number, slot: string): string => `${owner} ${slot}`

const purgeOne: Act = async (around, random) => {
  const asset = anAsset(around, random)
  if (asset) await around.web.app.purge(asset)
}

const cancelOne: Act = async ({ web, board }, random) => {
  if (board.sessions.length > 0) await web.app.cancelUpload(random.pick(board.sessions.slice(-20)))
}

/** Has variants stopped, or made after all, as the app does for somebody, or an operator: mostly where that may be done. */
const orderOf = async ({ web, board, orders }: Surroundings, random: Random, tx?: object): Promise<void> => {
  const rows = random.chance(0.7) ? await unmade(web, tx ? 1 : mostLooks) : []
  const near = board.assets.slice(-20).flatMap(({ id, profile }): Orderable[] => (profile === 'plain' ? [] : [{ id, profile }]))
  const assets = rows.length > 0 ? rows : near
  if (assets.length === 0) return
  const answer = await orders.give(web.app, random.pick(assets), random, tx)
  board.counts[answer] = (board.counts[answer] ?? 0) + 1
}

/** What variants are made of, or were not. */
const unmade = async (web: SimulatedProcess, looks: number): Promise<readonly Orderable[]> => {
  const { rows } = await web.pool.query<Orderable>(unmadeText)
  if (rows.length > 0 || looks <= 1) return rows
  await rest(100)
  return unmade(web, looks - 1)
}

const mostLooks = 15
const unmadeText = `select id, profile, state from rindle.media_assets where state in ('processing', 'transcoding', 'degraded') order by id desc limit 20`

const order: Act = (around, random) => orderOf(around, random)

/** Anybody may wake anybody for anything: the row knows better. */
const wake: Act = async (around, random) => {
  const asset = anAsset(around, random)
  if (!asset) return
  const name = random.pick(['promote_asset', 'build_variants', 'make_poster', 'transcode_asset', 'settle_slots', 'purge_asset'] as const)
  const { text, values } = around.web.ctx.queue.insertion([{ name, id: asset }])
  await around.web.pool.query(text, [...values])
}

const release: Act = async ({ web }, random) => {
  const { rows } = await web.pool.query(`select id from rindle.media_assets where state = 'quarantined' limit 20`)
  if (rows.length > 0) await web.app.releaseQuarantine(String(random.pick(rows).id), { reason: 'the storm', actor: 'an operator' })
}

/** What a visitor is given is there, and is what was judged. */
const visit: Act = async (around, random) => {
  const { web, ports, witness, board, breach } = around
  const asset = anAsset(around, random)
  const profile = board.assets.find(({ id }) => id === asset)?.profile
  if (!asset || !profile) return
  const url = await web.app.url(asset)
  const { status, body } = await bucketOf(ports, profile).send({ method: 'GET', url })
  if (status === 200) await witness.delivered(url, body)
  const state = (await web.app.asset(asset))?.state
  if (status === 404 && state !== undefined && state !== 'quarantined')
    breach(`asset ${asset} is ${state}, and nothing is at its URL`, asset)
}

const look: Act = async (around, random) => {
  const owners = Array.from({ length: 5 }, () => ({ type: 'Person', id: random.int(around.owners) }))
  await around.web.app.attachmentsFor(owners, random.pick(slotsOfApp).slot)
}

const acts: readonly (readonly [name: string, weight: number, act: Act])[] = [
  ['upload', 26, uploadInOne],
  ['parts', 8, uploadInParts],
  ['through', 5, uploadThroughApp],
  ['attach', 16, attachOne],
  ['detach', 6, detachOne],
  ['transaction', 14, transaction],
  ['purge', 4, purgeOne],
  ['cancel', 3, cancelOne],
  ['wake', 6, wake],
  ['order', 20, order],
  ['release', 3, release],
  ['visit', 6, visit],
  ['look', 3, look],
]
const weights = acts.reduce((sum, [, weight]) => sum + weight, 0)

const drawn = (random: Random): readonly [string, Act] => {
  let dice = random.next() * weights
  for (const [name, weight, act] of acts) if ((dice -= weight) < 0) return [name, act]
  return ['look', look]
}

const papers = (random: Random) => {
  const [profile, length] = [random.pick(profilesOfApp), 80 + random.int(240)]
  const isFilm = profile === 'lesson'
  const draw = (): Bytes => (isFilm ? filmOf(random, length, random.pick(filmKinds)) : pictureOf(random, length))
  const [good, bad] = [draw(), draw()]
  bad.set([0], 0)
  const isPoisoned = random.chance(0.02)
  if (isPoisoned) good[poisonAt] = poison
  if (isFilm && random.chance(0.1)) good[poisonOfEncodesAt] = poison
  return { profile, filename: isFilm ? 'a.mp4' : 'a.png', good, bad, isPoisoned }
}

const known = ({ board }: Surroundings, id: string, profile: ProfileOfApp, isPoisoned: boolean, sessionId: string | null): void => {
  board.assets.push({ id, profile, isPoisoned })
  if (sessionId) board.sessions.push(sessionId)
}

/** One of the last ones, so that people meet. */
const anAsset = ({ board }: Surroundings, random: Random, profile?: ProfileOfApp): string | null => {
  const near = board.assets.filter((asset) => profile === undefined || asset.profile === profile).slice(-40)
  return near.length > 0 ? random.pick(near).id : null
}

const aSlot = ({ owners }: Surroundings, random: Random, slot: SlotOfApp['slot']): Place => ({
  owner: { type: 'Person', id: random.int(owners) },
  slot,
})

const bucketOf = ({ buckets }: UnreliablePorts, profile: ProfileOfApp): MemoryBucket =>
  profile === 'photo' || profile === 'lesson' ? buckets.strict : buckets.heedless

const sent = async ({ ports }: Surroundings, profile: ProfileOfApp, ticket: SignedRequest, body: Bytes): Promise<void> => {
  await bucketOf(ports, profile)
    .send({ ...ticket, body })
    .catch((err: unknown) => {
      if (!(err instanceof DOMException)) throw err
    })
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
