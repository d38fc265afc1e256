import { ascii, box, fullBox, join, le16, le32, many, u16, u32, u64, u8, zeros } from '../files/bytes.ts'
import { bomb, type Family } from './bomb.ts'

const type = box('ftyp', ascii('isom'), u32(512), ascii('isommp42'))
const movie = (...inside: readonly Uint8Array[]): Buffer =>
  box('moov', fullBox('mvhd', 0, 0, zeros(8), u32(1000), u32(10_000), zeros(80)), ...inside)

interface Tables {
  readonly samples: number
  readonly width?: number
  readonly height?: number
  readonly more?: readonly Uint8Array[]
}

/** A track of H.264 whose tables say what they like. */
const track = ({ samples, width = 640, height = 480, more = [] }: Tables): Buffer =>
  box(
    'trak',
    fullBox('tkhd', 0, 7, zeros(8), u32(1), zeros(60), u16(width), u16(0), u16(height), u16(0)),
    box(
      'mdia',
      fullBox('mdhd', 0, 0, zeros(8), u32(1000), u32(10_000), u16(0x55c4), u16(0)),
      fullBox('hdlr', 0, 0, u32(0), ascii('vide'), zeros(13)),
      box(
        'minf',
        fullBox('vmhd', 0, 1, zeros(8)),
        box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1))),
        box(
          'stbl',
          fullBox(
            'stsd',
            0,
            0,
            u32(1),
            box('avc1', zeros(6), u16(1), zeros(16), u16(width), u16(height), zeros(50), box('avcC', u8(1, 66, 0, 30, 255, 224, 0))),
          ),
          fullBox('stts', 0, 0, u32(1), u32(samples), u32(1)),
          fullBox('stsz', 0, 0, u32(1), u32(samples)),
          fullBox('stsc', 0, 0, u32(1), u32(1), u32(samples), u32(1)),
          fullBox('stco', 0, 0, u32(1), u32(48)),
          ...more,
        ),
      ),
    ),
  )

const matroska = (...body: readonly Uint8Array[]): Buffer =>
  join(
    u8(0x1a, 0x45, 0xdf, 0xa3, 0x87, 0x42, 0x82, 0x84),
    ascii('webm'),
    u8(0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    ...body,
  )

const page = (at: number): Buffer => join(ascii('OggS'), u8(0, at === 0 ? 2 : 0), zeros(8), u32(1), u32(at), zeros(4), u8(1, 0))
const deepBoxes = (depth: number): Buffer => {
  let inside: Buffer = Buffer.alloc(0)
  for (let level = 0; level < depth; level++) inside = box('moov', inside)
  return join(type, inside)
}

export const containers: Family = {
  name: 'containers',
  bombs: [
    () => bomb('2³² samples', 'mp4', join(type, movie(track({ samples: 0xffff_ffff })), box('mdat', zeros(100)))),
    () => bomb('a list of 2²⁹ chunks', 'mp4', join(type, movie(track({ samples: 1, more: [fullBox('co64', 0, 0, u32(0x2000_0000))] })))),
    () => bomb('65,535 squared', 'mp4', join(type, movie(track({ samples: 1, width: 65_535, height: 65_535 })), box('mdat', zeros(100)))),
    () => bomb('2,000 tracks', 'mp4', join(type, movie(many(2000, () => track({ samples: 3 }))), box('mdat', zeros(100)))),
    () => bomb('50,000 boxes in boxes', 'mp4', deepBoxes(20_000)),
    () => bomb('a box of 2⁶³', 'mp4', join(type, u32(1), ascii('moov'), u64((1n << 63n) - 1n), zeros(64))),
    () =>
      bomb(
        '500,000 free boxes',
        'mp4',
        join(
          type,
          many(500_000, () => box('free')),
          movie(track({ samples: 1 })),
        ),
      ),
    () =>
      bomb(
        'a compressed movie of 1 GiB',
        'mov',
        join(type, box('moov', box('cmov', box('dcom', ascii('zlib')), box('cmvd', u32(0x4000_0000), zeros(1000))))),
      ),
    () =>
      bomb(
        'elements in elements',
        'webm',
        matroska(many(100_000, () => u8(0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))),
      ),
    () =>
      bomb('an element of 2⁵⁶', 'webm', matroska(u8(0x16, 0x54, 0xae, 0x6b, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe), zeros(100))),
    () => bomb('300,000 empty pages', 'ogg', join(many(300_000, page))),
    () =>
      bomb(
        '4 GiB of sound in 44 bytes',
        'wav',
        join(
          ascii('RIFF'),
          le32(0xffff_ffff),
          ascii('WAVEfmt '),
          le32(16),
          le16(1),
          le16(65_535),
          le32(0xffff_ffff),
          le32(0xffff_ffff),
          le16(65_535),
          le16(64),
          ascii('data'),
          le32(0xffff_ffff),
        ),
      ),
    () =>
      bomb(
        'a tag of 256 MiB',
        'mp3',
        join(ascii('ID3'), u8(4, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f), ascii('APIC'), u8(0x7f, 0x7f, 0x7f, 0x7f, 0, 0), zeros(100_000)),
      ),
    (random) => bomb('noise for FLAC', 'flac', join(ascii('fLaC'), u8(0x80, 0xff, 0xff, 0xff), random.bytes(100_000))),
  ],
}
