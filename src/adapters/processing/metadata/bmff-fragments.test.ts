import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../../../core/errors.ts'
import { stripMetadata } from './strip.ts'

const number = (value: number, width = 4): Buffer => {
  const field = Buffer.alloc(width)
  field.writeUInt32BE(value, width - 4)
  return field
}
const box = (type: string, ...parts: readonly (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
  return Buffer.concat([number(body.length + 8), Buffer.from(type, 'latin1'), body])
}
const handler = (type: string): Buffer => box('hdlr', number(0), '\0\0\0\0', type, '\0'.repeat(13))
const ftyp = box('ftyp', 'isom\0\0\0\0isom')

const place = 'Halt at 48.1371543, 11.5753829'
const harmless = 'Here we are, and there we were'
const picture = '\x01'.repeat(50)

/** A film of a picture's track 1 and a subtitles' track 2, whose samples stand in fragments. */
const movie = (usualBytes: number): Buffer => {
  const track = (id: number, type: string): Buffer =>
    box(
      'trak',
      box('tkhd', number(0), number(0), number(0), number(id), '\0'.repeat(68)),
      box('mdia', box('mdhd', '\0'.repeat(24)), handler(type), box('minf', box('stbl', box('stsd', number(0), number(0))))),
    )
  const usual = (id: number): Buffer => box('trex', number(0), number(id), number(1), number(0), number(usualBytes), number(0))
  return box('moov', box('mvhd', '\0'.repeat(100)), track(1, 'vide'), track(2, 'text'), box('mvex', usual(1), usual(2)))
}

interface Form {
  readonly usualBytes: number
  /** The header's flags, and what they announce, of a fragment whose movie fragment begins at `moofAt` and its samples at `dataAt`. */
  readonly header: (moofAt: number, dataAt: number) => readonly [flags: number, ...fields: readonly Buffer[]]
  readonly run: (offset: number, bytes: number) => readonly [flags: number, ...fields: readonly Buffer[]]
  /** What stands before the samples of the subtitles: samples of the picture, in a fragment of its own. */
  readonly before?: string
}

const forms: Readonly<Record<string, Form>> = {
  'from the fragment, each sample with its length': {
    usualBytes: 0,
    header: () => [0x20000],
    run: (offset, bytes) => [0x201, number(offset), number(bytes)],
  },
  'from the beginning of the file': {
    usualBytes: 0,
    header: (_, dataAt) => [0x1, number(dataAt, 8)],
    run: (_, bytes) => [0x201, number(0), number(bytes)],
  },
  'all of the length that the header says': {
    usualBytes: 0,
    header: () => [0x2001a, number(1), number(10), number(place.length)],
    run: (offset) => [0x1, number(offset)],
  },
  'all of the length that the film says': {
    usualBytes: place.length,
    header: () => [0x20000],
    run: (offset) => [0x5, number(offset), number(0)],
  },
  'with durations, flags and shifts beside the lengths': {
    usualBytes: 0,
    header: () => [0x20000],
    run: (offset, bytes) => [0xf01, number(offset), number(10), number(bytes), number(0), number(0)],
  },
  'behind the samples of another track': { usualBytes: 0, header: () => [0], run: (_, bytes) => [0x200, number(bytes)], before: picture },
}

const fragmented = ({ usualBytes, header, run, before = '' }: Form, text: string): Buffer => {
  const start = Buffer.concat([ftyp, movie(usualBytes)])
  const moof = (moofBytes: number): Buffer => {
    const [headerFlags, ...fields] = header(start.length, start.length + moofBytes + 8 + before.length)
    const [runFlags, ...rows] = run(moofBytes + 8 + before.length, text.length)
    const first = box(
      'traf',
      box('tfhd', number(0x20000), number(1)),
      box('trun', number(0x201), number(1), number(moofBytes + 8), number(before.length)),
    )
    const second = box('traf', box('tfhd', number(headerFlags), number(2), ...fields), box('trun', number(runFlags), number(1), ...rows))
    return box('moof', box('mfhd', number(0), number(1)), ...(before === '' ? [] : [first]), second)
  }
  return Buffer.concat([start, moof(moof(0).length), box('mdat', before, text)])
}

describe('films within files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-fragments-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))
  const strip = async (bytes: Buffer) => {
    const job = await mkdtemp(join(folder, 'job-'))
    const path = join(job, 'came')
    await writeFile(path, bytes)
    return stripMetadata({ path, folder: job, contentType: 'video/mp4', policy: 'strip-location', timeoutMs: 10_000 })
  }

  for (const [title, form] of Object.entries(forms))
    it(`keeps back a film with a place in the subtitles of its fragments, ${title}`, async () => {
      await assert.rejects(strip(fragmented(form, place)), (err) => isRindleError(err) && err.code === 'metadata_not_removable')
      assert.equal(await strip(fragmented(form, harmless)), null)
    })

  it('takes the samples of a place track out of the second of two files, and leaves those of the first', async () => {
    const film = (samples: string): Buffer => {
      const table = box(
        'stbl',
        box('stsd', number(0), number(1), box('camm', '\0'.repeat(8))),
        box('stsc', number(0), number(1), number(1), number(1), number(1)),
        box('stsz', number(0), number(0), number(1), number(samples.length)),
        box('stco', number(0), number(1), number(ftyp.length + 8)),
      )
      const track = box(
        'trak',
        box('tkhd', '\0'.repeat(84)),
        box('mdia', box('mdhd', '\0'.repeat(24)), handler('meta'), box('minf', table)),
      )
      return Buffer.concat([ftyp, box('mdat', samples), box('moov', box('mvhd', '\0'.repeat(100)), track)])
    }
    const first = Buffer.concat([ftyp, box('mdat', 'pixels of the picture')])
    const rewritten = await strip(Buffer.concat([first, film('Kanarienwinkel')]))
    assert.ok(rewritten)
    const served = await readFile(rewritten.path)
    assert.deepEqual(served.subarray(0, first.length), first)
    assert.equal(served.includes('Kanarienwinkel'), false)
  })
})
