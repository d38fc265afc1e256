import { RindleError } from '../../../core/errors.ts'

/** Bytes that are read anywhere and overwritten where they stand: a file, a part of one, or parts that belong together. Offsets are its own. */
export interface Bytes {
  readonly size: number
  /** Exactly so many bytes. @throws RindleError `metadata_not_removable` when they are not there, or when far more was asked for than the file holds */
  read(start: number, length: number): Buffer
  /** Overwrites; what lies outside is left out, and what stands there already counts as no change. */
  write(start: number, bytes: Uint8Array): void
  /** Overwrites with one byte, in constant memory. */
  fill(start: number, end: number, byte: number): void
  /** @throws RindleError `metadata_not_removable` */
  refuse(): never
  /** Of the whole file. */
  readonly budget: Budget
}

/** What a file may cost beside its bytes, whatever it is built of. */
interface Budget {
  /** Counts a chunk, a segment, a block or a box. @throws RindleError `metadata_not_removable` for more than any tool writes */
  piece(): void
  /** How much may still be inflated in order to look into it. */
  inflatable: number
}

/** An hour of film in fragments of a quarter of a second has as many. */
const mostPieces = 131_072
const mostInflatedBytes = 67_108_864

export const createBudget = (refuse: () => never): Budget => {
  let pieces = 0
  return {
    piece: () => {
      if ((pieces += 1) > mostPieces) refuse()
    },
    inflatable: mostInflatedBytes,
  }
}

/** So much is read or written at once where the amount is the file's to choose. */
export const stepBytes = 65_536

export const isRefusal = (err: unknown): boolean => err instanceof RindleError && err.code === 'metadata_not_removable'

/** The part from `start` to `end`, as far as it is there. */
export const partOf = (bytes: Bytes, start: number, end: number = bytes.size): Bytes => {
  const from = clamp(start, 0, bytes.size)
  const size = clamp(end, from, bytes.size) - from
  return {
    size,
    read: (at, length) => (inside(at, length, size) ? bytes.read(from + at, length) : bytes.refuse()),
    write: (at, written) => {
      if (at < size) bytes.write(from + at, written.subarray(0, size - at))
    },
    fill: (at, to, byte) => bytes.fill(from + clamp(at, 0, size), from + clamp(to, 0, size), byte),
    refuse: bytes.refuse,
    budget: bytes.budget,
  }
}

type Whole = Pick<Bytes, 'refuse' | 'budget'>

/** Several parts as if they stood one behind the other. */
export const joined = (parts: readonly Bytes[], { refuse, budget }: Whole): Bytes => {
  const ends: number[] = []
  let size = 0
  for (const part of parts) ends.push((size += part.size))
  const eachIn = (start: number, end: number, visit: (part: Bytes, from: number, to: number, at: number) => void): void => {
    for (let index = firstAbove(ends, start, (end) => end), at = start; at < end && index < parts.length; index += 1) {
      const part = parts[index]
      const partEnd = ends[index] ?? 0
      if (!part || partEnd <= at) continue
      const base = partEnd - part.size
      const to = Math.min(end, partEnd)
      visit(part, at - base, to - base, at)
      at = to
    }
  }
  return {
    size,
    read: (start, length) => {
      if (!inside(start, length, size)) return refuse()
      const read = Buffer.alloc(length)
      eachIn(start, start + length, (part, from, to, at) => part.read(from, to - from).copy(read, at - start))
      return read
    },
    write: (start, written) =>
      eachIn(start, Math.min(size, start + written.length), (part, from, to, at) =>
        part.write(from, written.subarray(at - start, at - start + to - from)),
      ),
    fill: (start, end, byte) => eachIn(clamp(start, 0, size), clamp(end, 0, size), (part, from, to) => part.fill(from, to, byte)),
    refuse,
    budget,
  }
}

/** Bytes in memory, with a look at whether anything was written. */
export const bytesIn = (buffer: Buffer, { refuse, budget }: Whole): Bytes & { readonly changed: boolean } => {
  let changed = false
  let left = allowanceFor(buffer.length)
  return {
    size: buffer.length,
    get changed() {
      return changed
    },
    read: (start, length) => {
      left -= length + lookCost
      return inside(start, length, buffer.length) && left > 0 ? buffer.subarray(start, start + length) : refuse()
    },
    write: (start, written) => {
      const held = buffer.subarray(start, start + written.length)
      const kept = Buffer.from(written.subarray(0, held.length))
      if (held.equals(kept)) return
      changed = true
      kept.copy(held)
    },
    fill: (start, end, byte) => {
      const held = buffer.subarray(start, end)
      left -= held.length + lookCost
      if (left < 0) refuse()
      if (isAll(held, byte)) return
      changed = true
      held.fill(byte)
    },
    refuse,
    budget,
  }
}

/** What one look costs beside its bytes, so that no structure makes the work grow faster than the file. */
export const lookCost = 24
export const allowanceFor = (size: number): number => 6 * size + 33_554_432

export const isAll = (bytes: Buffer, byte: number): boolean => {
  for (const one of bytes) if (one !== byte) return false
  return true
}

export const inside = (start: number, length: number, size: number): boolean =>
  Number.isSafeInteger(start) && Number.isSafeInteger(length) && start >= 0 && length >= 0 && start + length <= size

/** What is to be read in steps, each with where it stands; steps share `overlap` bytes, so that a word is found across their border. */
export function* stepsOf(
  bytes: Bytes,
  overlap = 0,
  start = 0,
  end = bytes.size,
): Generator<{ readonly at: number; readonly chunk: Buffer }> {
  for (let at = start; at < end; at += stepBytes) {
    const from = Math.max(start, at - overlap)
    yield { at: from, chunk: bytes.read(from, Math.min(end, at + stepBytes) - from) }
  }
}

const clamp = (value: number, low: number, high: number): number => (value >= low ? Math.min(value, high) : low)

/** The index of the first of an ascending list that ends behind `position`; the length of the list where none does. */
export const firstAbove = <T>(list: readonly T[], position: number, endOf: (one: T) => number): number => {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const one = list[middle]
    if (one !== undefined && endOf(one) <= position) low = middle + 1
    else high = middle
  }
  return low
}
