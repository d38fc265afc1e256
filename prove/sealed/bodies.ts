import { createHash } from 'node:crypto'
import sharp from 'sharp'
import type { Random } from '../harness.ts'

export type Bytes = Uint8Array<ArrayBuffer>

/** What the owner of one ticket may send: all of one length, so that no length gives a swap away. */
export type Bodies = {
  readonly kind: 'paper' | 'photo'
  readonly filename: string
  readonly byteSize: number
  /** What the gate may let through. The first is the one that was announced. */
  readonly good: readonly Bytes[]
  /** What it must never let through. */
  readonly bad: Bytes
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

const markup = (byteSize: number): Bytes => {
  const bytes = new Uint8Array(byteSize).fill(0x20)
  bytes.set(encode('<!DOCTYPE html><script>alert(1)</script>'))
  return bytes
}

/** Three documents and one that is none. */
export const papers = (random: Random, byteSize: number): Bodies => {
  const paper = (): Bytes => {
    const bytes = random.bytes(byteSize)
    bytes.set(encode('%PDF-1.7\n'))
    bytes.set(encode('\n%%EOF'), byteSize - 6)
    return bytes
  }
  return { kind: 'paper', filename: 'report.pdf', byteSize, good: [paper(), paper(), paper()], bad: markup(byteSize) }
}

/** Draws pictures of one length from a few that are made once. */
export const openAlbum = async (): Promise<(random: Random) => Bodies> => {
  const colours = ['#102030', '#aa3311', '#118833', '#2255cc', '#ddaa00', '#663399']
  const pictures = await Promise.all(
    colours.map(async (background) => {
      const bytes = await sharp({ create: { width: 12, height: 8, channels: 3, background } })
        .png({ compressionLevel: 0, adaptiveFiltering: false })
        .toBuffer()
      return new Uint8Array(bytes)
    }),
  )
  const byteSize = pictures[0]?.byteLength ?? 0
  if (pictures.some((one) => one.byteLength !== byteSize)) throw new Error('the pictures are not of one length')
  return (random) => ({
    kind: 'photo',
    filename: 'photo.png',
    byteSize,
    good: random.shuffle(pictures).slice(0, 3),
    bad: markup(byteSize),
  })
}
