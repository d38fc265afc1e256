import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type ErrorCode, isRindleError, RindleError } from '../../../core/errors.ts'
import { unplayed, usualPlayedLimits } from '../../../core/played.ts'
import type { Facts, MadeVariant, Verdict, Visit } from '../../../core/ports/jail.ts'
import type { ImageRecipe } from '../../../core/recipe.ts'
import { type ChildFolder, makeChildFolder } from './child-folder.ts'
import type { Outcome } from './decoder.ts'
import { verdictOf } from './verdict.ts'
import { silentLogger } from '../../telemetry/logger.ts'
import { pictureFacts } from '../../../core/variant-facts.ts'

const recipe: ImageRecipe = {
  ...{ kind: 'image', mode: 'fit', width: 1, height: 1, format: 'webp', quality: 80, effort: 4, background: '#ffffff' },
  ...{ focal: { x: 0.5, y: 0.5 }, animated: false },
}
const nothing = { width: null, height: null, frames: null, hasAlpha: null, placeholder: null, dominantColor: null }
const facts: Facts = {
  ...{ ...nothing, kind: 'image', contentType: 'image/png', extension: 'png', width: 4, height: 4 },
  ...unplayed,
}

describe('what a decoder says', () => {
  let scratch = ''
  let folder: ChildFolder
  let visit: Visit
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'rindle-verdict-'))
    folder = makeChildFolder(scratch)
    mkdirSync(join(scratch, 'job'))
    visit = {
      ...{ path: join(scratch, 'received'), folder: join(scratch, 'job'), purpose: 'gate', profileKind: 'media', filename: 'a.png' },
      ...{ allowMime: ['image/png'], allowExtensions: null, metadata: 'strip', svg: 'refuse', variants: [{ name: 'thumb', recipe }] },
      limits: { maxPixels: 1, maxSidePixels: 1, maxFrames: 1, ...usualPlayedLimits, gateTimeoutMs: 1, timeoutMs: 1 },
    }
  })
  afterEach(() => rmSync(scratch, { recursive: true }))

  const logger = silentLogger
  const full = (): RindleError => new RindleError('insufficient_disk_headroom', { neededBytes: 2, freeBytes: 1 })
  const judged = (outcome: Outcome): Promise<Verdict> => verdictOf(outcome, { visit, folder, logger, full, receivedBytes: 5 })
  const codeOf = (outcome: Outcome): Promise<string> =>
    judged(outcome).then(
      ({ verdict }) => verdict,
      (err: unknown) => (isRindleError(err) ? err.code : String(err)),
    )
  const made = (path: string, byteSize = 5): MadeVariant => ({
    ...{
      name: 'thumb',
      ok: true,
      path,
      contentType: 'image/webp',
      extension: 'webp',
      ...pictureFacts({ width: 1, height: 1 }),
      byteSize,
      sha256: 'ab'.repeat(32),
    },
  })
  const pass = (variants: readonly MadeVariant[], more: object = {}): Outcome => ({
    kind: 'pass',
    passed: { verdict: 'pass', facts, rewritten: null, variants, figures: { gateCpuMs: 1, cpuMs: 1 }, ...more },
    residentBytes: 1,
  })
  const write = (name: string): void => writeFileSync(join(folder.output, name), 'bytes')

  it('is believed when it fits what lies in its folder, and that is brought into the job’s', async () => {
    write('0.webp')
    write('clean.png')
    const rewritten = { path: join(folder.output, 'clean.png'), byteSize: 5, changed: null }
    const verdict = await judged(pass([made(join(folder.output, '0.webp'))], { rewritten }))
    assert.ok(verdict.verdict === 'pass')
    assert.equal(verdict.rewritten?.path, join(visit.folder, 'clean.png'))
    assert.deepEqual(
      verdict.variants.map((one) => one.ok && one.path),
      [join(visit.folder, '0.webp')],
    )
    assert.deepEqual([readdirSync(folder.output), readdirSync(visit.folder).sort()], [[], ['0.webp', 'clean.png']])
  })

  it('is nonsense when it names what is not there, a link, a folder, another size, or the same twice', async () => {
    for (const secret of ['secret', 'linked']) writeFileSync(join(scratch, secret), 'bytes')
    symlinkSync(join(scratch, 'secret'), join(folder.output, 'soft'))
    linkSync(join(scratch, 'linked'), join(folder.output, 'hard'))
    mkdirSync(join(folder.output, 'folder'))
    write('real')
    write('once')
    const rewritten = (path: string) => pass([], { rewritten: { path, byteSize: 5, changed: null } })
    const wrong = [
      ...['absent', 'soft', 'hard', 'folder', '..', '.', '', join(scratch, 'secret')].map((path) => pass([made(path)])),
      ...['absent', 'soft', 'hard', join(scratch, 'secret')].map(rewritten),
      pass([made('real', 6)]),
      pass([made('once'), made('once')]),
      pass([], { facts: { ...facts, contentType: 'image/gif', extension: 'gif' } }),
      pass([], { facts: { ...facts, contentType: 'image/gif' } }),
      pass([], { facts: { ...facts, extension: 'exe' } }),
      pass([], { facts: { ...facts, durationMs: usualPlayedLimits.maxDurationSeconds * 1000 + 1 } }),
    ]
    for (const outcome of wrong) assert.equal(await codeOf(outcome), 'decoder_killed', JSON.stringify(outcome))
  })

  it('is nonsense when it rewrites where nothing is to be taken out, or into far more than came', async () => {
    const rewriting = () => {
      write('clean.png')
      return pass([], { rewritten: { path: 'clean.png', byteSize: 5, changed: null } })
    }
    assert.equal(await codeOf(rewriting()), 'pass')
    for (const wrong of [{ metadata: 'keep' }, { purpose: 'build' }, { profileKind: 'file' }] as const) {
      rmSync(join(visit.folder, 'clean.png'), { force: true })
      const judging = verdictOf(rewriting(), { visit: { ...visit, ...wrong }, folder, logger, full, receivedBytes: 5 })
      await assert.rejects(judging, (err) => isRindleError(err) && err.code === 'decoder_killed', JSON.stringify(wrong))
    }
    writeFileSync(join(folder.output, 'huge.png'), '')
    truncateSync(join(folder.output, 'huge.png'), 5 + 64 * 1024 ** 2 + 1)
    const huge = { path: 'huge.png', byteSize: 5 + 64 * 1024 ** 2 + 1, changed: null }
    assert.equal(await codeOf(pass([], { rewritten: huge })), 'decoder_killed')
  })

  it('is copied with a hash of the copy, so that what the child still writes to is not what is served', async () => {
    for (const size of [5, 3 * 1024 ** 2 + 7]) {
      const bytes = Buffer.alloc(size, 'i')
      const name = `${size}.webp`
      writeFileSync(join(folder.output, name), bytes)
      const kept = openSync(join(folder.output, name), 'r+')
      const verdict = await judged(pass([made(name, size)]))
      writeSync(kept, 'EVIL', 0)
      ftruncateSync(kept, 1024 ** 3)
      closeSync(kept)
      const [variant] = verdict.verdict === 'pass' ? verdict.variants : []
      assert.ok(variant?.ok)
      assert.equal(variant.sha256, createHash('sha256').update(bytes).digest('hex'))
      assert.ok(readFileSync(variant.path).equals(bytes))
    }
  })

  it('is a fault, never a verdict, where the file is not to blame', async () => {
    const failure = (code: ErrorCode, details: Record<string, unknown>): Outcome => ({
      ...{ kind: 'failure', code, details, residentBytes: 1 },
    })
    assert.equal(await codeOf({ kind: 'fault', problem: 'ENOENT', residentBytes: 1 }), 'decoder_killed')
    for (const code of ['decoder_unavailable', 'internal_error', 'decoder_starved'] as const)
      assert.equal(await codeOf(failure(code, { problem: 'x', cpuSeconds: 1, seconds: 1 })), 'decoder_killed')
    assert.equal(await codeOf({ kind: 'fault', problem: 'ENOSPC', residentBytes: 1 }), 'insufficient_disk_headroom')
    await assert.rejects(judged(failure('decoder_killed', { reason: 'ffmpeg died' })), /^[^(]*\(ffmpeg died\)[^(]*$/)
    assert.equal(await codeOf(failure('peer_missing', { packageName: 'sharp', neededFor: 'Looking' })), 'peer_missing')
    assert.equal(await codeOf(failure('peer_outdated', { packageName: 'sharp', found: '0.1.0', needed: '1.0.0' })), 'peer_outdated')
    assert.equal(await codeOf({ kind: 'killed', reason: 'it ended by SIGKILL' }), 'decoder_killed')
    rmSync(visit.folder, { recursive: true })
    write('0.webp')
    assert.equal(await codeOf(pass([made('0.webp')])), 'decoder_unavailable')
  })
})
