import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { contextOf, type RindleContext } from '../../src/context.ts'
import { RindleError } from '../../src/core/errors.ts'
import type { Excerpt, Jail, Visit } from '../../src/core/ports/jail.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createRindle, type Rindle } from '../../src/rindle.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { limits, openPlace, type Place } from './fixtures/visits.ts'

const mebibyte = 1024 * 1024
const headBytes = 256 * 1024
const flac = Buffer.concat([
  Buffer.from('ID3\x03\0\0'),
  Buffer.from([0, 0x7f, 0x7f, 0x7f]),
  Buffer.alloc(0x1fffff),
  Buffer.from('fLaC'),
  Buffer.alloc(9),
])
/** As a camera's export: every file stored as it is, its header before it. */
const zipOf = (files: number): Buffer =>
  Buffer.concat(
    Array.from({ length: files }, (_, index) => {
      const [name, bytes] = [Buffer.from(`photo-${index}.jpg`), Buffer.alloc(300_000, 7)]
      const header = Buffer.alloc(30)
      header.writeUInt32LE(0x04034b50, 0)
      header.writeUInt32LE(bytes.byteLength, 18)
      header.writeUInt32LE(bytes.byteLength, 22)
      header.writeUInt16LE(name.byteLength, 26)
      return Buffer.concat([header, name, bytes])
    }),
  )
const text = (tail = ''): Buffer => Buffer.from('ä line of text\n'.repeat(100_000) + tail)
const allowed = { allowMime: ['audio/flac', 'audio/mpeg', 'text/plain', 'text/csv'], allowExtensions: null }

describe('a visit to a file of which only the beginning was brought', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const visit = (whole: Buffer, filename: string, more: Partial<Excerpt> = {}) => {
    const read = async (start: number, end: number) => whole.subarray(start, end)
    const excerpt: Excerpt = { sizeBytes: whole.byteLength, isText: false, read, ...more }
    return place.visit(whole.subarray(0, headBytes + 1), filename, { profileKind: 'file', ...allowed, excerpt })
  }

  it('reads further where the type is told only there', async () => {
    const asked: number[] = []
    const read = async (start: number, end: number) => {
      asked.push(end - start)
      return flac.subarray(start, end)
    }
    const verdict = await visit(flac, 'song.flac', { read })
    assert.equal(verdict.verdict === 'pass' && verdict.facts.contentType, 'audio/flac')
    assert.ok(asked.length > 0 && asked.every((length) => length <= mebibyte), String(asked))
  })

  it('takes its word for it that all of it is text, wherever the beginning was cut', async () => {
    const passed = await visit(text(), 'notes.txt', { isText: true })
    assert.equal(passed.verdict === 'pass' && passed.facts.contentType, 'text/plain')
    const refused = await visit(text(), 'notes.txt', { isText: false })
    assert.equal(refused.verdict === 'refuse' && refused.code, 'type_unknown')
  })

  it('comes to no verdict when it cannot read further, and the next visit is none the worse', async () => {
    const lost = new RindleError('storage_failed', { operation: 'read a part', store: 'memory:default' })
    await assert.rejects(visit(flac, 'song.flac', { read: () => Promise.reject(lost) }), (err: unknown) => err === lost)
    assert.equal((await visit(flac, 'song.flac')).verdict, 'pass')
  })

  it('ends when it is told to, also while it waits for more of the file', { timeout: 30_000 }, async () => {
    const never = { sizeBytes: flac.byteLength, isText: false, read: () => new Promise<never>(() => undefined) }
    const wait = (more: Partial<Visit>) =>
      place.visit(flac.subarray(0, headBytes), 'song.flac', { profileKind: 'file', ...allowed, excerpt: never, ...more })
    await assert.rejects(wait({ signal: AbortSignal.timeout(300) }), { name: 'TimeoutError' })
    assert.equal((await visit(flac, 'song.flac')).verdict, 'pass')
  })

  it('is not blamed for a storage that takes long over every answer', { timeout: 60_000 }, async () => {
    const zip = zipOf(40)
    let asks = 0
    const read = async (start: number, end: number) => {
      asks += 1
      await setTimeout(60)
      return zip.subarray(start, end)
    }
    const verdict = await place.visit(zip.subarray(0, headBytes), 'photos.zip', {
      ...{ profileKind: 'file', allowMime: ['application/zip'], allowExtensions: null },
      ...{ excerpt: { sizeBytes: zip.byteLength, isText: false, read }, limits: { ...limits, timeoutMs: 1_500 } },
    })
    assert.equal(verdict.verdict === 'pass' && verdict.facts.contentType, 'application/zip')
    assert.ok(asks * 60 > 1_500, `asked ${asks} times`)
  })
})

/** Remembers what was looked at, and how much of it lay on the disk. */
const watching = (jail: Jail) => {
  const seen: { bytes: number; isExcerpt: boolean }[] = []
  const visit = (one: Visit) => {
    seen.push({ bytes: statSync(one.path).size, isExcerpt: one.excerpt !== undefined })
    return jail.visit(one)
  }
  return { jail: { ...jail, visit }, seen }
}

const engine = engines.find(({ name }) => name === 'pglite')

describe('files that are not decoded', { skip: engine?.skip ?? 'there is no embedded database' }, () => {
  let database: EngineDatabase
  let rindle: Rindle
  let ctx: RindleContext
  const trouble: { read?: (ranged: boolean) => void } = {}
  const bare = memory({ name: 'files' })
  const storage: StorageAdapter = {
    ...bare,
    read(key, options) {
      trouble.read?.(options?.range !== undefined)
      return bare.read(key, options)
    },
  }
  const scratchFolder = mkdtempSync(join(tmpdir(), 'rindle-files-'))
  const watched = watching(createJail({ concurrency: 1, logger: silentLogger }))

  before(async () => {
    database = (await engine?.open()) ?? assert.fail('there is no embedded database')
    rindle = createRindle({
      ...{ database: database.given, scratchFolder, baseUrl: 'http://localhost:1/media' },
      secrets: ['a secret of the tests that is long enough'],
      profiles: { paper: defineProfile({ kind: 'file', storage, maxBytes: 100 * mebibyte, allowMime: allowed.allowMime }) },
    })
    await rindle.ready()
    ctx = { ...contextOf(rindle), jail: watched.jail }
  })
  afterEach(() => {
    delete trouble.read
    watched.seen.length = 0
  })
  after(async () => {
    await watched.jail.close()
    await rindle.close()
    await database.close()
    rmSync(scratchFolder, { recursive: true })
  })

  const gate = async (bytes: Buffer, filename: string) => {
    const { id } = await rindle.upload('paper', bytes, { filename })
    await promoteAsset(ctx, id)
    const asset = await rindle.asset(id)
    return { id, state: asset?.state, code: asset?.error?.code, contentType: asset?.contentType }
  }

  it('pass the gate with no more than their beginning on the disk, hashed to the end', async () => {
    const { id, state, contentType } = await gate(flac, 'song.flac')
    assert.deepEqual([state, contentType], ['available', 'audio/flac'])
    assert.deepEqual(watched.seen, [{ bytes: headBytes, isExcerpt: true }])
    const [row] = await database.query(
      `select encode(sha256, 'hex') as sha256, byte_size::int as size from rindle.media_objects where asset_id = $1`,
      [id],
    )
    assert.deepEqual(row, { sha256: createHash('sha256').update(flac).digest('hex'), size: flac.byteLength })
  })

  it('are there as a whole where they are no longer than that', async () => {
    assert.equal((await gate(text().subarray(0, headBytes), 'a.txt')).state, 'available')
    assert.equal((await gate(text().subarray(0, headBytes + 1), 'a.txt')).state, 'quarantined', 'it ends in mid-character')
    assert.deepEqual(watched.seen, [
      { bytes: headBytes, isExcerpt: false },
      { bytes: headBytes, isExcerpt: true },
    ])
  })

  const cases: readonly (readonly [what: string, bytes: Buffer, filename: string, verdict: string])[] = [
    ['text to the last byte', text(), 'a.txt', 'available'],
    ['a NUL at the very end of a long text', text('\0'), 'a.txt', 'type_unknown'],
    ['a character that is cut off at the very end', Buffer.concat([text(), Buffer.from([0xc3])]), 'a.txt', 'type_unknown'],
    ['no bytes', Buffer.alloc(0), 'a.txt', 'file_empty'],
    ['music that calls itself text', flac, 'a.txt', 'extension_mime_mismatch'],
    ['a type that is not listed', Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(headBytes)]), 'a.txt', 'mime_not_allowed'],
    ['nothing that anybody knows', Buffer.alloc(2 * headBytes, 1), 'a.flac', 'type_unknown'],
  ]
  for (const [what, bytes, filename, verdict] of cases)
    it(`get the same verdict whether they are long or short: ${what}`, async () => {
      const { state, code } = await gate(bytes, filename)
      assert.equal(code ?? state, verdict)
    })

  it('wait when more of them cannot be read, and are never blamed for it', async () => {
    trouble.read = (ranged) => {
      if (ranged) throw new Error('the bucket is on fire')
    }
    const { id } = await rindle.upload('paper', flac, { filename: 'song.flac' })
    for (let round = 0; round < 3; round += 1) assert.equal(await promoteAsset(ctx, id), 'later')
    const runs = await database.query(`select distinct error_code from rindle.media_processing_runs where asset_id = $1`, [id])
    assert.deepEqual(runs, [{ error_code: 'storage_failed' }])
    delete trouble.read
    assert.equal(await promoteAsset(ctx, id), 'admitted')
  })
})
