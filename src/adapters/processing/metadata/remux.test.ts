import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../../../core/errors.ts'
import { stripMetadata } from './strip.ts'

const skip = spawnSync('ffmpeg', ['-version']).status === 0 ? false : 'ffmpeg is not installed'
const canary = 'Kanarienwinkel'

describe('taking metadata out by ffmpeg', { skip }, () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-remux-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.3']
  const types: readonly (readonly [string, string, readonly string[]])[] = [
    ['audio/mpeg', 'mp3', ['-c:a', 'libmp3lame']],
    ['audio/flac', 'flac', ['-c:a', 'flac']],
    ['audio/wav', 'wav', ['-c:a', 'pcm_s16le']],
    ['audio/ogg', 'ogg', ['-c:a', 'libvorbis']],
    ['audio/webm', 'webm', ['-c:a', 'libopus']],
  ]
  const make = (name: string, args: readonly string[]): string => {
    const path = join(folder, name)
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...sound, ...args, path])
    return path
  }
  const stripped = (path: string, contentType: string, policy: 'strip' | 'strip-location' = 'strip-location') =>
    mkdtemp(join(folder, 'job-')).then((job) => stripMetadata({ path, folder: job, contentType, policy, timeoutMs: 10_000 }))
  const samplesOf = (path: string): string => execFileSync('ffmpeg', ['-v', 'error', '-i', path, '-f', 'md5', '-']).toString()

  it('keeps the film in what was taken for sound', async () => {
    const path = join(folder, 'film.webm')
    const film = ['-f', 'lavfi', '-i', 'testsrc=size=32x32:rate=5:duration=0.4', '-c:v', 'libvpx', '-metadata', `title=${canary}`]
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...film, path])
    const rewritten = await stripped(path, 'audio/webm')
    assert.ok(rewritten)
    assert.equal(samplesOf(rewritten.path), samplesOf(path))
  })

  for (const [contentType, extension, codec] of types) {
    it(`copies ${contentType} without its tags, every sample as it was`, async () => {
      const path = make(`tagged.${extension}`, [...codec, '-metadata', `title=${canary}`, '-metadata', `location=${canary}`])
      assert.ok((await readFile(path)).includes(canary))
      const rewritten = await stripped(path, contentType)
      assert.ok(rewritten && rewritten.changed === null)
      const served = await readFile(rewritten.path)
      assert.equal(served.length, rewritten.byteSize)
      assert.equal(served.includes(canary), false)
      assert.equal(samplesOf(rewritten.path), samplesOf(path))
      assert.equal(await stripped(rewritten.path, contentType), null, 'nothing is left to take out')
    })

    it(`calls damaged ${contentType} not to be cleaned, and never clean`, async () => {
      const path = make(`broken.${extension}`, [...codec, '-metadata', `title=${canary}`])
      const bytes = await readFile(path)
      bytes.fill(0x41, 0, 64)
      const broken = join(folder, `damaged.${extension}`)
      await writeFile(broken, bytes)
      const outcome = await stripped(broken, contentType).catch((err: unknown) => err)
      if (isRindleError(outcome)) return assert.equal(outcome.code, 'metadata_not_removable')
      assert.ok(outcome !== null && typeof outcome === 'object' && 'path' in outcome && typeof outcome.path === 'string', String(outcome))
      assert.equal((await readFile(outcome.path)).includes(canary), false)
    })
  }
})
