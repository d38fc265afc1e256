import type { Random } from '../harness.ts'

/** One file made worse. `other` is a good file of another kind, or of the same. */
type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer

/** A place in the file, more often near its beginning, where headers are. */
const placeIn = (bytes: Buffer, random: Random): number =>
  random.int(Math.max(1, random.chance(0.5) ? Math.min(bytes.length, 512) : bytes.length))

const span = (bytes: Buffer, random: Random): readonly [start: number, end: number] => {
  const start = placeIn(bytes, random)
  return [start, Math.min(bytes.length, start + 1 + random.int(Math.max(1, random.chance(0.7) ? 64 : bytes.length >> 1)))]
}

const changed = (bytes: Buffer, change: (copy: Buffer) => void): Buffer => {
  const copy = Buffer.from(bytes)
  if (copy.length > 0) change(copy)
  return copy
}

const telling = [0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x10, 0x40]
const lengths = [0, 1, 2, 0x7fff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0, 8000, 16_383]

export const mutations: Readonly<Record<string, Mutation>> = {
  flip: (bytes, random) =>
    changed(bytes, (copy) => {
      for (let left = 1 + random.int(16); left > 0; left--) {
        const at = placeIn(copy, random)
        copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8))
      }
    }),
  byte: (bytes, random) =>
    changed(bytes, (copy) => {
      for (let left = 1 + random.int(4); left > 0; left--) copy[placeIn(copy, random)] = random.pick(telling)
    }),
  length: (bytes, random) =>
    changed(bytes, (copy) => {
      const at = Math.min(placeIn(copy, random), Math.max(0, copy.length - 4))
      const value = random.pick(lengths)
      if (copy.length < 4) return
      if (random.chance(0.5)) copy.writeUInt32BE(value, at)
      else if (random.chance(0.5)) copy.writeUInt32LE(value, at)
      else copy.writeUInt16BE(value & 0xffff, at)
    }),
  cut: (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  excise: (bytes, random) => {
    const [start, end] = span(bytes, random)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
  },
  repeat: (bytes, random) => {
    const [start, end] = span(bytes, random)
    const times = random.chance(0.8) ? 1 : 1 + random.int(50)
    return Buffer.concat([bytes.subarray(0, end), ...Array.from({ length: times }, () => bytes.subarray(start, end)), bytes.subarray(end)])
  },
  swap: (bytes, random) => {
    const places = [...span(bytes, random), ...span(bytes, random)].sort((a, b) => a - b)
    const [a = 0, b = 0, c = 0, d = 0] = places
    return Buffer.concat([bytes.subarray(0, a), bytes.subarray(c, d), bytes.subarray(b, c), bytes.subarray(a, b), bytes.subarray(d)])
  },
  noise: (bytes, random) => {
    const [start, end] = span(bytes, random)
    return changed(bytes, (copy) => copy.set(random.bytes(end - start), start))
  },
  insert: (bytes, random) => {
    const at = placeIn(bytes, random)
    return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.int(64)), bytes.subarray(at)])
  },
  blank: (bytes, random) => changed(bytes, (copy) => copy.fill(random.pick(telling), ...span(copy, random))),
  splice: (bytes, random, other) =>
    Buffer.concat([bytes.subarray(0, random.int(bytes.length + 1)), other.subarray(random.int(other.length + 1))]),
  header: (bytes, random, other) => {
    const length = random.pick([4, 8, 12, 16, 32, 64])
    return Buffer.concat([other.subarray(0, length), bytes.subarray(random.chance(0.5) ? length : 0)])
  },
  twice: (bytes, random, other) => Buffer.concat([bytes, random.chance(0.5) ? bytes : other]),
}

export const mutationNames = Object.keys(mutations)
