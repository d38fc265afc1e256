import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { isRindleError } from '../../../core/errors.ts'
import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import type { Rewritten } from '../../../core/ports/jail.ts'
import { createRandom, type Random } from '../../../../test/services/random.ts'
import { stripMetadata } from './strip.ts'

const canary = 'Kanarienwinkel'

describe('taking metadata out of a file', () => {
  let folder = ''
  let files = 0
  let seeds: readonly Seed[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-metadata-'))
    seeds = await makeSeeds()
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const strip = async (bytes: Buffer, contentType: string, policy: MetadataPolicy = 'strip-location') => {
    const job = join(folder, String(++files))
    await mkdir(job)
    const path = join(job, 'came')
    await writeFile(path, bytes)
    const rewritten = await stripMetadata({ path, folder: job, contentType, policy, timeoutMs: 10_000 })
    const served = await readFile(rewritten?.path ?? path)
    assert.deepEqual(await readFile(path), bytes, 'what came is only read')
    await rm(job, { recursive: true })
    return { rewritten, served }
  }
  const seedOf = (type: string): Seed => seeds.find((seed) => seed.type === type)!

  for (const type of ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/tiff', 'image/avif', 'video/mp4', 'image/svg+xml'])
    it(`takes the place out of ${type} at equal length, and says exactly where it changed`, async () => {
      const { bytes } = seedOf(type)
      assert.ok(bytes.includes(canary))
      const { rewritten, served } = await strip(bytes, type)
      assert.ok(rewritten?.changed)
      assert.equal(served.includes(canary), false)
      assertChanged(bytes, served, rewritten)
    })

  it('names no places where there are too many to name', async () => {
    const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#456' } })
      .png()
      .toBuffer()
    const body = Buffer.from(`tEXtComment\0${canary}`, 'latin1')
    const chunk = Buffer.concat([Buffer.alloc(4), body, Buffer.alloc(4)])
    chunk.writeUInt32BE(body.length - 4)
    chunk.writeUInt32BE(crc32(body), chunk.length - 4)
    const given = Buffer.concat([png.subarray(0, 33), ...Array.from({ length: 1_200 }, () => chunk), png.subarray(33)])
    const { rewritten, served } = await strip(given, 'image/png', 'strip')
    assert.equal(rewritten?.changed, null)
    assert.equal(served.length, given.length)
    assert.equal(served.includes(canary), false)
  })

  for (const type of ['image/jpeg', 'image/png', 'image/webp', 'image/tiff', 'image/avif'])
    it(`keeps the pixels and the orientation of ${type}, and its camera unless all goes`, async () => {
      const { bytes } = seedOf(type)
      const [whole, less, least] = [bytes, (await strip(bytes, type)).served, (await strip(bytes, type, 'strip')).served]
      const pixels = await sharp(whole).raw().toBuffer()
      for (const served of [less, least]) {
        assert.deepEqual(await sharp(served).raw().toBuffer(), pixels)
        assert.equal((await sharp(served).metadata()).orientation, (await sharp(whole).metadata()).orientation)
        assert.equal(served.includes(canary), false)
      }
      assert.equal(less.includes('Rollei'), whole.includes('Rollei'))
      assert.equal(least.includes('Rollei'), false)
    })

  it('leaves a file alone that holds no place', async () => {
    const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .withExif({ IFD0: { Make: 'Rollei' } })
      .jpeg()
      .toBuffer()
    assert.equal((await strip(bytes, 'image/jpeg')).rewritten, null)
  })

  it('leaves every file alone where metadata is kept', async () => {
    for (const { type, bytes } of seeds) assert.equal((await strip(bytes, type, 'keep')).rewritten, null)
  })

  it('has nothing left to take out of what it wrote', async () => {
    for (const policy of ['strip-location', 'strip'] as const)
      for (const { type, bytes } of seeds) {
        const { served } = await strip(bytes, type, policy)
        assert.equal((await strip(served, type, policy)).rewritten, null, `${type} ${policy}`)
      }
  })

  it('takes a place out of a second picture, a film and junk behind the first', async () => {
    const photo = seedOf('image/jpeg').bytes
    const plain = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer()
    for (const behind of [photo, seedOf('video/mp4').bytes, Buffer.from(canary), Buffer.concat([Buffer.from('junk'), photo, photo])]) {
      const bytes = Buffer.concat([plain, behind])
      const { rewritten, served } = await strip(bytes, 'image/jpeg')
      assert.equal(served.includes(canary), false)
      assert.deepEqual(served.subarray(0, plain.length), plain)
      assertChanged(bytes, served, rewritten)
    }
  })

  it('takes out of a film what it does not know, at every depth, and messages between segments', async () => {
    const told = box('QQQQ', canary)
    const track = (...more: readonly Buffer[]): Buffer => {
      const handler = box('hdlr', number(0), '\0\0\0\0', 'vide', '\0'.repeat(13))
      const table = box('stbl', box('stts', number(0), number(0)), ...more)
      return box(
        'trak',
        box('tkhd', '\0'.repeat(84)),
        ...more,
        box('mdia', handler, ...more, box('minf', box('vmhd', '\0'.repeat(12)), ...more, table)),
      )
    }
    const moof = (...more: readonly Buffer[]): Buffer => box('moof', ...more, box('traf', box('tfhd', '\0'.repeat(8)), ...more))
    const movie = (...more: readonly Buffer[]): Buffer =>
      Buffer.concat([box('ftyp', 'isom\0\0\0\0isom'), box('moov', box('mvhd', '\0'.repeat(100)), track(...more)), moof(...more)])
    const bytes = Buffer.concat([movie(told), box('emsg', number(0), canary), box('imda', canary)])
    const { rewritten, served } = await strip(bytes, 'video/mp4')
    assert.equal(served.includes(canary), false)
    assertChanged(bytes, served, rewritten)
    assert.equal((await strip(movie(), 'video/mp4')).rewritten, null, 'what is known stays as it is')
  })

  it('takes the name of a track that says a place, and under strip whatever it is', async () => {
    const named = (name: string): Buffer => {
      const handler = box('hdlr', number(0), '\0\0\0\0', 'soun', '\0'.repeat(12), name, '\0')
      const track = box('trak', box('tkhd', '\0'.repeat(84)), box('mdia', handler, box('minf', box('smhd', '\0'.repeat(8)))))
      return Buffer.concat([box('ftyp', 'isom\0\0\0\0isom'), box('moov', box('mvhd', '\0'.repeat(100)), track)])
    }
    const said = `from 48.1371543, 11.5753829 ${canary}`
    const { rewritten, served } = await strip(named(said), 'video/mp4')
    assert.equal(served.includes(canary), false)
    assertChanged(named(said), served, rewritten)
    assert.equal((await strip(named('Core Media Audio'), 'video/mp4')).rewritten, null)
    assert.equal((await strip(named('Ada'), 'video/mp4', 'strip')).served.includes('Ada'), false)
  })

  it('refuses types that nothing takes metadata out of', async () => {
    await assert.rejects(strip(Buffer.from('BM'), 'image/bmp'), isRefusal)
  })

  describe('of many pieces', () => {
    const plain = sharp({ create: { width: 8, height: 8, channels: 3, background: '#456' } })
    const chunk = (type: string, content: string | Buffer): Buffer => {
      const named = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.from(content)])
      return Buffer.concat([number(named.length - 4), named, number(crc32(named))])
    }
    const repeated = (piece: Buffer, count: number): Buffer => Buffer.alloc(piece.length * count, piece)
    const note = `GPS ${canary}`
    const cases: Readonly<Record<string, (count: number) => Promise<Buffer>>> = {
      'image/jpeg': async (count) => {
        const bytes = await plain.clone().jpeg().toBuffer()
        const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, note.length + 2]), Buffer.from(note)])
        return Buffer.concat([bytes.subarray(0, 2), repeated(comment, count), bytes.subarray(2)])
      },
      'image/png': async (count) => {
        const bytes = await plain.clone().png().toBuffer()
        return Buffer.concat([bytes.subarray(0, 33), repeated(chunk('teSt', note), count), bytes.subarray(33)])
      },
      'image/gif': async (count) => {
        const bytes = await plain.clone().gif().toBuffer()
        const comment = Buffer.concat([Buffer.from([0x21, 0xfe, note.length]), Buffer.from(note), Buffer.from([0])])
        return Buffer.concat([bytes.subarray(0, -1), repeated(comment, count), bytes.subarray(-1)])
      },
      'image/webp': async (count) => {
        const bytes = await plain.clone().webp().toBuffer()
        const piece = Buffer.concat([Buffer.from('teSt'), number(note.length).reverse(), Buffer.from(note)])
        const whole = Buffer.concat([bytes, repeated(piece, count)])
        whole.writeUInt32LE(whole.length - 8, 4)
        return whole
      },
      'video/mp4': async (count) => Buffer.concat([film(), repeated(box('free', note), count)]),
    }
    for (const [type, make] of Object.entries(cases)) {
      it(`takes all of them out of ${type} in a moment`, async () => {
        const started = performance.now()
        const { served } = await strip(await make(60_000), type)
        assert.equal(served.includes(canary), false)
        assert.ok(performance.now() - started < 5_000)
      })
      it(`refuses ${type} of more than any tool writes`, async () => {
        const bytes = await make(150_000)
        const started = performance.now()
        await assert.rejects(strip(bytes, type), isRefusal)
        assert.ok(performance.now() - started < 5_000)
      })
    }

    it('inflates texts only so far, and lets the rest of them go unread', async () => {
      const bytes = await plain.clone().png().toBuffer()
      const text = chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(7_000_000, 32))]))
      const started = performance.now()
      const { served } = await strip(Buffer.concat([bytes.subarray(0, 33), repeated(text, 500), bytes.subarray(33)]), 'image/png')
      const left = served.toString('latin1').split('zTXt').length - 1
      assert.ok(left > 0 && left < 10, `${left} texts`)
      assert.ok(performance.now() - started < 5_000)
    })
  })

  describe('built to mislead', () => {
    const exif = (...ifd: readonly Buffer[]): Buffer => {
      const block = Buffer.concat([Buffer.from('Exif\0\0MM\0*\0\0\0\x08', 'latin1'), ...ifd])
      const length = Buffer.alloc(2)
      length.writeUInt16BE(block.length + 2)
      return Buffer.concat([Buffer.from('ffd8ffe1', 'hex'), length, block, Buffer.from('ffd9', 'hex')])
    }
    const entry = (tag: number, type: number, count: number, value: number): Buffer => {
      const row = Buffer.alloc(12)
      row.writeUInt16BE(tag)
      row.writeUInt16BE(type, 2)
      row.writeUInt32BE(count, 4)
      row.writeUInt32BE(value, 8)
      return row
    }
    const ifd = (next: number, ...entries: readonly Buffer[]): Buffer => {
      const [count, link] = [Buffer.alloc(2), Buffer.alloc(4)]
      count.writeUInt16BE(entries.length)
      link.writeUInt32BE(next)
      return Buffer.concat([count, ...entries, link])
    }
    const cases: Readonly<Record<string, Buffer>> = {
      'a directory that is its own next': exif(ifd(8, entry(0x0112, 3, 1, 0x10000))),
      'a directory that is its own child': exif(ifd(0, entry(0x8769, 4, 1, 8), entry(0x8825, 4, 1, 8))),
      'two directories of places in one place': exif(ifd(0, entry(0x8825, 4, 1, 38), entry(0x8825, 4, 1, 38)), ifd(0, entry(1, 2, 2, 0))),
      'a value of four milliards of eight bytes': exif(ifd(0, entry(0x8825, 12, 0xffffffff, 8), entry(0x927c, 7, 0xffffffff, 8))),
      'values that overlap their directory': exif(ifd(0, entry(0x927c, 7, 40, 8), entry(0x8825, 4, 1, 10))),
      'more entries than there are bytes': exif(Buffer.from('ffff', 'hex'), entry(0x8825, 4, 1, 8)),
      'a place far behind the end': exif(ifd(0xfffffff0, entry(0x8825, 4, 1, 0xfffffff0))),
    }
    for (const [title, bytes] of Object.entries(cases))
      it(`comes to an end with ${title}`, async () => {
        const outcome = await outcomeOf(strip(bytes, 'image/jpeg'))
        if (!outcome) return
        assert.equal(outcome.served.length, bytes.length)
        assert.equal(outcome.served.includes(Buffer.from('8825', 'hex')), false)
      })

    it('finds a HEIF item whose extents are absurd either harmless or unremovable', async () => {
      const { bytes } = seedOf('image/avif')
      const iloc = bytes.indexOf('iloc')
      for (const at of Array.from({ length: 60 }, (_, index) => iloc + 4 + index)) {
        const broken = Buffer.from(bytes)
        broken.fill(0xff, at, at + 4)
        await outcomeOf(strip(broken, 'image/avif'))
      }
    })

    it('never lets a cut file through with its place', async () => {
      for (const { type, bytes } of seeds.filter(({ type }) => type !== 'video/mp4'))
        for (let length = 1; length < bytes.length; length += Math.ceil(bytes.length / 50)) {
          const outcome = await outcomeOf(strip(bytes.subarray(0, length), type))
          assert.equal(outcome?.served.includes(canary) ?? false, false, `${type} of ${length} bytes`)
        }
    })

    it('says of thousands of damaged files that they are clean, rewritten or not to be cleaned, and nothing else', async () => {
      const random = createRandom(20_260_102)
      const started = performance.now()
      let refused = 0
      const rounds = 2_000
      for (let round = 0; round < rounds; round += 1) {
        const { type, bytes } = seeds[round % seeds.length]!
        const mutant = mutated(bytes, random)
        const outcome = await outcomeOf(strip(mutant, type, round % 3 === 0 ? 'strip' : 'strip-location'))
        if (!outcome) refused += 1
        else assertChanged(mutant, outcome.served, outcome.rewritten)
      }
      assert.ok(refused > 0 && refused < rounds / 2, `${refused} of ${rounds} refused`)
      assert.ok(performance.now() - started < 120_000)
    })
  })
})

const isRefusal = (err: unknown): boolean => isRindleError(err) && err.code === 'metadata_not_removable'

const outcomeOf = async <T>(outcome: Promise<T>): Promise<T | null> =>
  outcome.catch((err: unknown) => {
    if (isRefusal(err)) return null
    throw err
  })

const assertChanged = (came: Buffer, served: Buffer, rewritten: Rewritten | null): void => {
  assert.equal(served.length, came.length)
  if (!rewritten) return assert.ok(served.equals(came))
  assert.equal(rewritten.byteSize, came.length)
  let at = 0
  for (const { start, end } of rewritten.changed ?? []) {
    assert.ok(start >= at && end > start && end <= came.length)
    assert.ok(served.subarray(at, start).equals(came.subarray(at, start)))
    at = end
  }
  assert.ok(served.subarray(at).equals(came.subarray(at)))
}

const mutated = (bytes: Buffer, random: Random): Buffer => {
  const mutant = Buffer.from(bytes)
  // Structures stand at the beginning and the end more than in the middle.
  const somewhere = (): number => (random.int(2) === 0 ? random.int(mutant.length) : random.int(Math.min(mutant.length, 600)))
  for (let change = random.int(6); change >= 0; change -= 1) {
    const at = somewhere()
    const kind = random.int(5)
    if (kind === 0) mutant[at] = random.int(256)
    else if (kind === 1) mutant.subarray(at, at + 1 + random.int(8)).fill(0xff)
    else if (kind === 2) mutant.subarray(at, at + 1 + random.int(8)).fill(0)
    else if (kind === 3) mutant.copy(mutant, at, somewhere(), mutant.length)
    else mutant[at] = (mutant[at] ?? 0) ^ (1 << random.int(8))
  }
  return random.int(8) === 0 ? mutant.subarray(0, 1 + random.int(mutant.length)) : mutant
}

interface Seed {
  readonly type: string
  readonly bytes: Buffer
}

const makeSeeds = async (): Promise<Seed[]> => {
  const picture = sharp({ create: { width: 40, height: 24, channels: 3, background: '#8040c0' } })
    .withExif({
      IFD0: { Make: 'Rollei', Artist: 'Somebody', Orientation: '6' },
      IFD2: { LensModel: 'Sonnar', UserComment: 'seen' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 8/1 13/1', GPSMapDatum: canary, GPSProcessingMethod: canary },
    })
    .withXmp(
      `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="r"><rdf:Description photoshop:City="${canary}"/></rdf:RDF></x:xmpmeta>`,
    )
  const gif = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
    .gif()
    .toBuffer()
  const packet = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>48,8N</exif:GPSLatitude>${canary}</x:xmpmeta>`
  const magic = Buffer.from([1, ...Array.from({ length: 256 }, (_, index) => 255 - index), 0])
  const block = Buffer.concat([Buffer.from('!\xff\x0bXMP DataXMP', 'latin1'), Buffer.from(packet), magic])
  return [
    { type: 'image/jpeg', bytes: await picture.clone().jpeg().toBuffer() },
    { type: 'image/png', bytes: await picture.clone().png().toBuffer() },
    { type: 'image/webp', bytes: await picture.clone().webp().toBuffer() },
    { type: 'image/tiff', bytes: await picture.clone().tiff().toBuffer() },
    { type: 'image/avif', bytes: await picture.clone().avif({ effort: 0 }).toBuffer() },
    { type: 'image/gif', bytes: Buffer.concat([gif.subarray(0, -1), block, gif.subarray(-1)]) },
    { type: 'video/mp4', bytes: film() },
    {
      type: 'image/svg+xml',
      bytes: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg"><metadata><a>${canary}</a></metadata><!-- GPS ${canary} --><g/></svg>`),
    },
  ]
}

const box = (type: string, ...parts: readonly (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(body.length + 8)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, body])
}
const number = (value: number): Buffer => {
  const field = Buffer.alloc(4)
  field.writeUInt32BE(value)
  return field
}

/** The boxes of a film with its place in every form, among them a track of the camera's own. */
const film = (): Buffer => {
  const ftyp = box('ftyp', 'isom\0\0\0\0isom')
  const samples = `GPS ${canary}`
  const mdat = box('mdat', samples)
  const table = box(
    'stbl',
    box('stsd', number(0), number(1), box('camm', '\0'.repeat(8))),
    box('stsc', number(0), number(1), number(1), number(1), number(1)),
    box('stsz', number(0), number(0), number(1), number(samples.length)),
    box('stco', number(0), number(1), number(ftyp.length + 8)),
  )
  const handler = (type: string): Buffer => box('hdlr', number(0), '\0\0\0\0', type, '\0'.repeat(13))
  const track = box('trak', box('tkhd', '\0'.repeat(84)), box('mdia', box('mdhd', '\0'.repeat(24)), handler('meta'), box('minf', table)))
  const key = 'com.apple.quicktime.location.ISO6709'
  const item = Buffer.concat([number(1)]).toString('latin1')
  const keys = box('keys', number(0), number(1), box('mdta', key))
  const meta = box('meta', handler('mdta'), keys, box('ilst', box(item, box('data', number(1), number(0), `+48.1371+011.5753/${canary}`))))
  const notes = box('udta', box('\xa9xyz', `\0\x12\x15\xc7+48.1371+011.5753/${canary}`), box('loci', number(0), canary))
  const xmp = box('uuid', Buffer.from('be7acfcb97a942e89c71999491e3afac', 'hex'), `<x photoshop:City="${canary}"/>`)
  return Buffer.concat([ftyp, mdat, box('moov', box('mvhd', '\0'.repeat(100)), track, meta, notes), xmp, box('free', canary)])
}
