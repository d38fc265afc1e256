import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { codedOf, encodeAvif, encodeHeic, heifFile } from '../../test/journeys/fixtures/heif-file.ts'

/** A picture as a phone or camera wrote it, and how it looks when it is held upright. */
export interface PhonePicture {
  readonly filename: string
  bytes(): Promise<Buffer>
  /** A picture without any turn that a browser draws as it should come out; null where the original itself, which browsers turn, is that. */
  readonly upright: (() => Promise<Buffer>) | null
}

const orientations = [0, 1, 2, 3, 4, 5, 6, 7, 8]
const odd = ['racecar_rotated.jpg', 'image.gif', 'valley.webp']
/** Quarter turns against the clock and what is swapped after them, as a HEIF file says it. */
const turns = [{}, { irot: 1 }, { irot: 2 }, { irot: 3 }, { imir: 0 }, { imir: 1 }, { irot: 1, imir: 1 }, { irot: 3, imir: 1 }]

/** Photos in all orientations of Exif; and in all of HEIF, made with Debian's encoders. */
export const phonePictures = (corpus: string): PhonePicture[] => {
  const photo = (form: string, orientation: number): Promise<Buffer> => readFile(join(corpus, 'orientation', `${form}_${orientation}.jpg`))
  return [
    ...['Landscape', 'Portrait'].flatMap((form) =>
      orientations.map((orientation) => ({
        filename: `${form}_${orientation}.jpg`,
        bytes: () => photo(form, orientation),
        upright: () => photo(form, 1),
      })),
    ),
    ...odd.map((filename) => ({ filename, bytes: () => readFile(join(corpus, 'odd', filename)), upright: null })),
    ...turns.flatMap((turn) => [heifPicture('heic', turn, photo), heifPicture('avif', turn, photo)]),
  ]
}

type Turn = { readonly irot?: number; readonly imir?: number }

const heifPicture = (type: 'heic' | 'avif', turn: Turn, photo: (form: string, orientation: number) => Promise<Buffer>): PhonePicture => {
  const stored = async (): Promise<Buffer> =>
    sharp(await photo('Landscape', 1))
      .resize(480, 320)
      .withIccProfile('p3')
      .png()
      .toBuffer()
  const encode = type === 'heic' ? encodeHeic : encodeAvif
  return {
    filename: `${type} ${JSON.stringify(turn).replace(/[^a-z0-9]/g, '')}.${type}`,
    bytes: async () => heifFile([{ tiles: [codedOf(encode(await stored()))], ...turn }], { brand: type }),
    upright: async () => {
      const turned = await sharp(await stored())
        .rotate(-90 * (turn.irot ?? 0))
        .toBuffer()
      return sharp(turned)
        .flip(turn.imir === 0)
        .flop(turn.imir === 1)
        .png()
        .toBuffer()
    },
  }
}
