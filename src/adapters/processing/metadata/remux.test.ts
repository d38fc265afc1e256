import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, watch } from 'node:fs'
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

  const run = (args: readonly string[], name: string): string => {
    const path = join(folder, name)
    execFileSync('ffmpeg', ['-v', 'error', '-y', ...args, path])
    return path
  }
  const small = ['-f', 'lavfi', '-i', 'testsrc=size=32x32:rate=5:duration=0.4']
  const textOf = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, text)
    return path
  }
  const element = (id: string, ...parts: readonly (Buffer | string)[]): Buffer => {
    const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
    const size = Buffer.alloc(8)
    size.writeBigUInt64BE(0x0100_0000_0000_0000n + BigInt(body.length))
    return Buffer.concat([Buffer.from(id, 'hex'), size, body])
  }
  const place = element('1254c367', element('7373', element('63c0'), element('67c8', element('45a3', 'LOCATION'), element('4487', canary))))

  for (const [contentType, extension] of [
    ['video/webm', 'webm'],
    ['video/matroska', 'mkv'],
  ] as const)
    it(`finds tags behind the clusters of a live ${extension}, which no index names`, async () => {
      const live = ['-c:v', 'libvpx', '-fflags', '+bitexact', '-live', '1', ...(extension === 'mkv' ? ['-f', 'matroska'] : [])]
      const plain = run([...small, ...live], `live.${extension}`)
      assert.equal(await stripped(plain, contentType), null, 'technical tags alone stay')
      const path = join(folder, `live-tagged.${extension}`)
      await writeFile(path, Buffer.concat([await readFile(plain), place]))
      const rewritten = await stripped(path, contentType)
      assert.ok(rewritten)
      assert.equal((await readFile(rewritten.path)).includes(canary), false)
      assert.equal(samplesOf(rewritten.path), samplesOf(path))
      assert.equal(await stripped(rewritten.path, contentType), null)
    })

  for (const policy of ['strip-location', 'strip'] as const)
    it(`takes chapters away under ${policy}`, async () => {
      const chapters = await textOf(
        'chapters.txt',
        `;FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=${canary} 48.85837, 2.29448\n`,
      )
      const path = run([...small, '-i', chapters, '-map_chapters', '1', '-c:v', 'libvpx', '-fflags', '+bitexact'], `chapters-${policy}.mkv`)
      assert.ok((await readFile(path)).includes(canary))
      const rewritten = await stripped(path, 'video/matroska', policy)
      assert.ok(rewritten)
      assert.equal((await readFile(rewritten.path)).includes(canary), false)
    })

  it('takes subtitles that say a place, and all written ones where everything goes', async () => {
    const said = await textOf('said.srt', `1\n00:00:00,000 --> 00:00:00,300\n${canary} 48.85837, 2.29448\n`)
    const other = await textOf('other.srt', '1\n00:00:00,000 --> 00:00:00,300\nGood evening\n')
    for (const [codec, contentType, extension] of [
      ['srt', 'video/matroska', 'mkv'],
      ['ass', 'video/matroska', 'mkv'],
      ['webvtt', 'video/webm', 'webm'],
    ] as const) {
      const maps = ['-map', '0', '-map', '1', '-map', '2', '-c:v', 'libvpx', '-c:s', codec, '-fflags', '+bitexact']
      const path = run([...small, '-i', said, '-i', other, ...maps], `subtitles-${codec}.${extension}`)
      const rewritten = await stripped(path, contentType)
      assert.ok(rewritten)
      const served = await readFile(rewritten.path)
      assert.deepEqual([served.includes(canary), served.includes('Good evening')], [false, true], codec)
      assert.equal(await stripped(rewritten.path, contentType), null)
      const least = await stripped(path, contentType, 'strip')
      assert.ok(least)
      assert.equal((await readFile(least.path)).includes('Good evening'), false)
    }
  })

  it('looks into subtitles of twenty languages with no more files at once than a decoder may make', async () => {
    const said = await textOf('said.srt', `1\n00:00:00,000 --> 00:00:00,300\n${canary} 48.85837, 2.29448\n`)
    const other = await textOf('other.srt', '1\n00:00:00,000 --> 00:00:00,300\nGood evening\n')
    const maps = Array.from({ length: 20 }, (_, track) => ['-map', track % 19 === 0 ? '1' : '2']).flat()
    const path = run([...small, '-i', said, '-i', other, '-map', '0', ...maps, '-c:v', 'libvpx', '-c:s', 'srt'], 'languages.mkv')
    const job = await mkdtemp(join(folder, 'job-'))
    let most = 0
    const watcher = watch(job, () => (most = Math.max(most, readdirSync(job).length)))
    const rewritten = await stripMetadata({ path, folder: job, contentType: 'video/matroska', policy: 'strip-location', timeoutMs: 10_000 })
    watcher.close()
    assert.ok(rewritten)
    const served = (await readFile(rewritten.path)).toString('latin1')
    assert.deepEqual([served.split(canary).length - 1, served.split('Good evening').length - 1], [0, 18])
    assert.ok(most > 1 && most <= 12, `${most} files`)
  })

  it('takes a place out of the second of two joined recordings, or keeps the file back', async () => {
    const tags = ['-metadata', `title=${canary}`, '-metadata', `location=${canary}`]
    const joinedOf = async (name: string, codec: readonly string[], more = tags): Promise<string> => {
      const first = make(`first-${name}`, codec)
      const second = make(`second-${name}`, [...codec, ...more])
      const path = join(folder, `joined-${name}`)
      await writeFile(path, Buffer.concat([await readFile(first), await readFile(second)]))
      return path
    }
    const bare = ['-c:a', 'libmp3lame', '-write_id3v1', '0', '-id3v2_version', '0']
    const untagged = samplesOf(await joinedOf('bare.mp3', bare, []))
    const mp3 = ['-c:a', 'libmp3lame', '-write_id3v1', '1']
    const path = await joinedOf('plain.mp3', mp3)
    assert.ok((await readFile(path)).includes(canary))
    const plain = await stripped(path, 'audio/mpeg')
    assert.ok(plain)
    assert.equal((await readFile(plain.path)).includes(canary), false)
    assert.equal(samplesOf(plain.path), untagged)
    assert.equal(await stripped(plain.path, 'audio/mpeg'), null)
    const [one, other] = await Promise.all([readFile(join(folder, 'first-bare.mp3')), readFile(join(folder, 'second-bare.mp3'))])
    const old = join(folder, 'old.mp3')
    await writeFile(old, Buffer.concat([one, Buffer.from(`TAG${canary.padEnd(125, '\0')}`), other]))
    const rewritten = await stripped(old, 'audio/mpeg')
    assert.ok(rewritten)
    assert.equal((await readFile(rewritten.path)).includes(canary), false)
    assert.equal(samplesOf(rewritten.path), untagged)
    for (const codec of ['libvorbis', 'libopus']) {
      const chained = await joinedOf(`${codec}.ogg`, ['-c:a', codec])
      await assert.rejects(stripped(chained, 'audio/ogg'), (err) => isRindleError(err) && err.code === 'metadata_not_removable', codec)
    }
  })

  it('takes out what stands in room that was left free, and lets empty room be', async () => {
    const chunkOf = (content: string): Buffer => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(content.length)
      return Buffer.concat([Buffer.from('JUNK'), length, Buffer.from(content)])
    }
    const blockOf = (content: string): Buffer => Buffer.concat([Buffer.from([1, 0, 0, content.length]), Buffer.from(content)])
    const wave = await readFile(make('room.wav', ['-c:a', 'pcm_s16le', '-map_metadata', '-1', '-fflags', '+bitexact']))
    const flac = await readFile(make('room.flac', ['-c:a', 'flac', '-map_metadata', '-1', '-fflags', '+bitexact']))
    const empty = '\0'.repeat(canary.length)
    for (const [name, contentType, withRoom] of [
      ['room.wav', 'audio/wav', (text: string) => Buffer.concat([wave.subarray(0, 36), chunkOf(text), wave.subarray(36)])],
      ['room.flac', 'audio/flac', (text: string) => Buffer.concat([flac.subarray(0, 42), blockOf(text), flac.subarray(42)])],
    ] as const) {
      const path = join(folder, `with-${name}`)
      await writeFile(path, withRoom(empty))
      assert.equal(await stripped(path, contentType), null, name)
      await writeFile(path, withRoom(canary))
      const rewritten = await stripped(path, contentType)
      assert.ok(rewritten, name)
      assert.equal((await readFile(rewritten.path)).includes(canary), false, name)
      assert.equal(samplesOf(rewritten.path), samplesOf(join(folder, name)))
    }
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
