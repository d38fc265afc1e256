import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { outlineOf } from './outline.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-outline-'))
after(() => rmSync(folder, { recursive: true }))

const outline = (contentType: string, bytes: Buffer): Promise<string> => {
  const path = join(folder, 'file')
  writeFileSync(path, bytes)
  return outlineOf(path, contentType)
}

const box = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + body.length)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, body])
}
const full = (flags: number): Buffer => Buffer.from([0, 0, 0, flags])
const entry = (flags: number, url: string): Buffer => box('url ', full(flags), Buffer.from(url))
const movie = (...entries: readonly Buffer[]): Buffer => {
  const dref = box('dref', full(0), Buffer.from([0, 0, 0, entries.length]), ...entries)
  return box(
    'moov',
    box('mvhd', Buffer.alloc(100)),
    box('trak', box('tkhd', Buffer.alloc(84)), box('mdia', box('minf', box('dinf', dref)))),
  )
}
const start = box('ftyp', Buffer.from('isom\0\0\0\0'))
const media = box('mdat', Buffer.alloc(400))

const chunks = (name: string, isBigEndian: boolean, claimed: number, bytes: number): Buffer => {
  const head = Buffer.from(`${name}0000WAVE`)
  if (isBigEndian) head.writeUInt32BE(claimed, 4)
  else head.writeUInt32LE(claimed, 4)
  return Buffer.concat([head, Buffer.alloc(bytes - 4)])
}

const page = (segments: readonly number[], bytes: number): Buffer => {
  const head = Buffer.alloc(27)
  head.write('OggS')
  head.writeUInt8(segments.length, 26)
  return Buffer.concat([head, Buffer.from(segments), Buffer.alloc(bytes)])
}

describe('the outline of a container', () => {
  it('is that of a whole MP4, also with a tail that is no box', async () => {
    assert.equal(await outline('video/mp4', Buffer.concat([start, movie(entry(1, '')), media])), 'whole')
    assert.equal(await outline('video/mp4', Buffer.concat([start, media, movie(entry(1, ''))])), 'whole')
    assert.equal(await outline('video/mp4', Buffer.concat([start, movie(entry(1, '')), media, Buffer.alloc(99)])), 'whole')
    assert.equal(
      await outline('video/mp4', Buffer.concat([start, movie(entry(1, '')), media, box('junk', Buffer.alloc(50)).subarray(0, 20)])),
      'whole',
    )
  })

  it('is that of a cut one where a box that matters claims more than there is', async () => {
    for (const whole of [Buffer.concat([start, movie(entry(1, '')), media]), Buffer.concat([start, media, movie(entry(1, ''))])])
      for (const left of [whole.length - 1, whole.length >> 1]) assert.equal(await outline('video/mp4', whole.subarray(0, left)), 'cut')
  })

  it('says when a track lies elsewhere, whatever the other tracks do', async () => {
    const elsewhere = [
      movie(entry(0, 'file:///etc/passwd\0')),
      movie(entry(1, ''), entry(0, 'http://x/\0')),
      movie(box('alis', full(0), Buffer.alloc(200))),
    ]
    for (const moov of elsewhere) assert.equal(await outline('video/quicktime', Buffer.concat([start, moov, media])), 'refers elsewhere')
    assert.equal(await outline('video/quicktime', Buffer.concat([start, movie(box('alis', full(0))), media])), 'whole')
  })

  it('says when a movie names others to be played in its place', async () => {
    const address = box('rmra', box('rmda', box('rdrf', full(0), Buffer.from('url \0\0\0\x09http://x/'))))
    const moov = Buffer.concat([movie(entry(1, '')), address])
    moov.writeUInt32BE(moov.length)
    assert.equal(await outline('video/quicktime', Buffer.concat([start, moov, media])), 'refers elsewhere')
  })

  it('ends for boxes that lie about their length', async () => {
    for (const size of [0, 1, 2, 7, 0xffffffff]) {
      const moov = movie(entry(1, ''))
      moov.writeUInt32BE(size, 8)
      assert.ok(await outline('video/mp4', Buffer.concat([start, moov, media])))
    }
  })

  it('counts the chunks of WAV, AVI and AIFF, and lets those be that were never counted', async () => {
    for (const [type, name, isBigEndian] of [
      ['audio/wav', 'RIFF', false],
      ['video/x-msvideo', 'RIFF', false],
      ['audio/aiff', 'FORM', true],
    ] as const) {
      assert.equal(await outline(type, chunks(name, isBigEndian, 1000, 1000)), 'whole')
      assert.equal(await outline(type, chunks(name, isBigEndian, 1000, 992)), 'whole')
      assert.equal(await outline(type, chunks(name, isBigEndian, 1000, 900)), 'cut')
      for (const claimed of [0, 0xffffffff]) assert.equal(await outline(type, chunks(name, isBigEndian, claimed, 900)), 'whole')
    }
    const large = Buffer.concat([chunks('RIFF', false, 100, 100), chunks('RIFF', false, 1000, 900)])
    assert.equal(await outline('video/x-msvideo', large), 'cut')
  })

  it('asks that an Ogg file ends with a page', async () => {
    const whole = Buffer.concat([page([4], 4), page([255, 20], 275)])
    assert.equal(await outline('audio/ogg', whole), 'whole')
    for (const left of [whole.length - 1, whole.length - 276, 20]) assert.equal(await outline('audio/ogg', whole.subarray(0, left)), 'cut')
    assert.equal(await outline('audio/ogg', Buffer.alloc(100)), 'cut')
  })

  it('knows nothing of what tells no length', async () => {
    assert.equal(await outline('audio/mpeg', Buffer.alloc(3)), 'whole')
  })
})
