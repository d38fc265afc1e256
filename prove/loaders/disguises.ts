import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import type { Random } from '../harness.ts'

/** A file that some image library somewhere would open by what is in it, whatever its name says. */
export interface Disguise {
  readonly label: string
  bytes(random: Random, canary: string): Buffer | Promise<Buffer>
}

const text = (label: string, write: (canary: string) => string): Disguise => ({ label, bytes: (_, canary) => Buffer.from(write(canary)) })
const binary = (label: string, write: (random: Random) => Buffer | Promise<Buffer>): Disguise => ({ label, bytes: write })

const le = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => Buffer.from(new Int32Array([value]).buffer)))
const noise = (random: Random, length: number): Buffer => Buffer.from(random.bytes(length))
const card = (line: string): string => line.padEnd(80)

/** Headers that loaders of libvips, ImageMagick and their like go by; behind each lies what makes the file long enough to be believed. */
export const disguises: readonly Disguise[] = [
  // libvips' own format maps files and names others in its history.
  binary('vips', (random) =>
    Buffer.concat([Buffer.from([0x08, 0xf2, 0xa6, 0xb6]), le(16, 16, 3, 0, 0, 0, 22), Buffer.alloc(32), noise(random, 768)]),
  ),
  binary('vips of the other byte order', (random) =>
    Buffer.concat([Buffer.from([0xb6, 0xa6, 0xf2, 0x08]), Buffer.alloc(60), noise(random, 768)]),
  ),
  { label: 'svg', bytes: (_, canary) => svgNaming(canary) },
  { label: 'svgz', bytes: (_, canary) => gzipSync(svgNaming(canary)) },
  text('mvg', (canary) => `push graphic-context\nviewbox 0 0 64 64\nimage over 0,0 0,0 'file://${canary}'\npop graphic-context\n`),
  text('msl', (canary) => `<?xml version="1.0"?><image><read filename="${canary}"/><write filename="/tmp/out.png"/></image>`),
  text('pdf', (canary) => `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/F(${canary})>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF`),
  text('postscript', (canary) => `%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(${canary}) (r) file showpage\n`),
  binary('ppm', (random) => Buffer.concat([Buffer.from('P6\n16 16\n255\n'), noise(random, 768)])),
  binary('pgm', (random) => Buffer.concat([Buffer.from('P5\n16 16\n255\n'), noise(random, 256)])),
  text('pbm as text', () => `P1\n8 8\n${'0 1 '.repeat(32)}\n`),
  binary('pfm', (random) => Buffer.concat([Buffer.from('PF\n8 8\n-1.0\n'), noise(random, 768)])),
  text('csv', () => '1,2,3,4\n'.repeat(40)),
  text('matrix', () => `4 4\n${'1 2 3 4\n'.repeat(4)}`),
  binary('matlab', (random) =>
    Buffer.concat([Buffer.from('MATLAB 5.0 MAT-file, Platform: GLNXA64'.padEnd(124)), Buffer.from([0, 1, 0x49, 0x4d]), noise(random, 512)]),
  ),
  text('fits', () =>
    [
      card('SIMPLE  =                    T'),
      card('BITPIX  =                    8'),
      card('NAXIS   =                    2'),
      card('NAXIS1  =  16'),
      card('NAXIS2  =  16'),
      card('END'),
    ]
      .join('')
      .padEnd(5_760),
  ),
  binary('radiance', (random) => Buffer.concat([Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n'), noise(random, 256)])),
  binary('nifti', (random) => {
    const header = Buffer.alloc(352)
    header.writeInt32LE(348, 0)
    header.write('n+1\0', 344, 'latin1')
    return Buffer.concat([header, noise(random, 512)])
  }),
  binary('analyze', (random) => Buffer.concat([le(348), Buffer.alloc(344), noise(random, 512)])),
  binary('openexr', (random) => Buffer.concat([Buffer.from([0x76, 0x2f, 0x31, 0x01, 2, 0, 0, 0]), noise(random, 512)])),
  binary('jpeg 2000', (random) =>
    Buffer.concat([Buffer.from('0000000c6a5020200d0a870a00000014667479706a703220000000006a703220', 'hex'), noise(random, 512)]),
  ),
  binary('jpeg 2000, bare', (random) => Buffer.concat([Buffer.from('ff4fff51', 'hex'), noise(random, 512)])),
  binary('jpeg xl', (random) => Buffer.concat([Buffer.from('0000000c4a584c200d0a870a', 'hex'), noise(random, 512)])),
  binary('jpeg xl, bare', (random) => Buffer.concat([Buffer.from('ff0a', 'hex'), noise(random, 512)])),
  binary('icon', (random) => Buffer.concat([Buffer.from('00000100010010100000010020006804000016000000', 'hex'), noise(random, 1_128)])),
  binary('bitmap', (random) =>
    Buffer.concat([Buffer.from('BM'), le(822, 0, 54, 40, 16, 16, 0x180001, 0, 768, 2_835, 2_835, 0, 0), noise(random, 768)]),
  ),
  binary('photoshop', (random) =>
    Buffer.concat([Buffer.from('8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x10\0\0\0\x10\0\x08\0\x03', 'latin1'), noise(random, 900)]),
  ),
  binary('raw of a camera', (random) =>
    Buffer.concat([Buffer.from('II*\0\x10\0\0\0CR\x02\0', 'latin1'), Buffer.alloc(4), noise(random, 900)]),
  ),
  text(
    'deep zoom',
    (canary) =>
      `<?xml version="1.0"?><Image TileSize="254" Format="png" Url="${canary}" xmlns="http://schemas.microsoft.com/deepzoom/2008"/>`,
  ),
  text('slide index', (canary) => `[GENERAL]\nSLIDE_ID=1\nFile=${canary}\n`.repeat(8)),
  text('playlist', (canary) => `#EXTM3U\n#EXTINF:1,\nfile://${canary}\n`),
  text('xpm', () => '/* XPM */\nstatic char *a[] = {"1 1 1 1","a c #ff0000","a"};\n'),
  // Of our own types, but not of the one that the name claims.
  binary('webp', () =>
    sharp({ create: { width: 8, height: 8, channels: 3, background: '#aa3010' } })
      .webp()
      .toBuffer(),
  ),
  binary('tiff', () =>
    sharp({ create: { width: 8, height: 8, channels: 3, background: '#aa3010' } })
      .tiff()
      .toBuffer(),
  ),
]

/** An SVG that names a file beside it, in every way that drawing programs know. */
export const svgNaming = (canary: string): Buffer =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:xi="http://www.w3.org/2001/XInclude" width="64" height="64">
<image width="64" height="64" xlink:href="${canary}"/><image width="64" height="64" href="file://${canary}"/>
<image width="64" height="64" href="${canary.split('/').at(-1) ?? ''}"/><text><xi:include href="${canary}" parse="text"/></text></svg>`)
