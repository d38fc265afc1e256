/** Random values that a number replays: everything drawn follows from the seed, whatever the machine. */
export type Random = {
  /** A float in [0, 1). */
  next(): number
  /** A whole number in [0, below). */
  int(below: number): number
  pick<T>(list: readonly T[]): T
  chance(probability: number): boolean
  /** A new list in random order; the given one stays. */
  shuffle<T>(list: readonly T[]): T[]
  bytes(length: number): Uint8Array<ArrayBuffer>
  /** An independent generator, so that what one task draws does not shift what another does. */
  fork(label: string | number): Random
}

/** Starts a generator (splitmix32) at `seed`, of which the lower 32 bits count. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const draw = () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
  const random: Random = {
    next: () => draw() / 0x1_0000_0000,
    int: (below) => Math.floor(random.next() * below),
    pick: (list) => {
      const picked = list[random.int(list.length)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
    chance: (probability) => random.next() < probability,
    shuffle: (list) => {
      const result = [...list]
      for (let last = result.length - 1; last > 0; last--) {
        const other = random.int(last + 1)
        ;[result[last], result[other]] = [result[other]!, result[last]!]
      }
      return result
    },
    bytes: (length) => {
      const words = new Uint32Array(Math.ceil(length / 4))
      for (let index = 0; index < words.length; index++) words[index] = draw()
      return new Uint8Array(words.buffer, 0, length)
    },
    fork: (label) => createRandom(hash(`${seed}/${label}`)),
  }
  return random
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value >>> 0
}
