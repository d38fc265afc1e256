import { type Bytes, isRefusal, partOf } from './bytes.ts'

/** One box of the family of ISO base media files. */
export interface Box {
  readonly type: string
  /** Of the whole box within its parent. */
  readonly start: number
  readonly end: number
  readonly body: Bytes
  /** Overwrites it by free space of the same length. */
  discard(): void
}

/** The boxes of a parent, one after the other. @throws RindleError `metadata_not_removable` where there is none, but for less than a header at the end */
export function* boxesOf(bytes: Bytes, from = 0): Generator<Box> {
  for (let at = from; at + 8 <= bytes.size;) {
    const box = boxAt(bytes, at) ?? bytes.refuse()
    yield box
    at = box.end
  }
}

/** As `boxesOf`, for lists of notes: from where no box can be read, all is zero. A list may end in four zero bytes. */
export function* looseBoxesOf(bytes: Bytes, from = 0): Generator<Box> {
  let at = from
  try {
    for (const box of boxesOf(bytes, from)) {
      at = box.end
      yield box
    }
    bytes.fill(at, bytes.size, 0)
  } catch (err) {
    if (!isRefusal(err)) throw err
    bytes.fill(at, bytes.size, 0)
  }
}

/** @returns null where no whole box begins. */
export const boxAt = (bytes: Bytes, start: number): Box | null => {
  if (start + 8 > bytes.size) return null
  const head = bytes.read(start, Math.min(16, bytes.size - start))
  const size32 = head.readUInt32BE(0)
  const long = size32 === 1
  if (long && head.length < 16) return null
  const size = long ? Number(head.readBigUInt64BE(8)) : size32 === 0 ? bytes.size - start : size32
  const header = long ? 16 : 8
  if (size < header || size > bytes.size - start) return null
  bytes.budget.piece()
  const type = head.toString('latin1', 4, 8)
  const end = start + size
  const body = partOf(bytes, start + header, end)
  return {
    ...{ type, start, end, body },
    discard: () => {
      bytes.write(start + 4, Buffer.from('free', 'latin1'))
      body.fill(0, body.size, 0)
    },
  }
}

/** The first box of that type among the children; null when there is none. */
export const childOf = (bytes: Bytes, type: string, from = 0): Box | null => {
  for (const box of boxesOf(bytes, from)) if (box.type === type) return box
  return null
}
