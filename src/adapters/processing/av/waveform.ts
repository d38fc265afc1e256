/** A pair for each of the same number of stretches: the lowest and the highest sample in it, from -1 to 1. */
type Peaks = readonly (readonly [number, number])[]

/** Takes samples as they come, 16 bits each, little-endian, and keeps no more than the pairs. */
export interface PeakMeter {
  add(chunk: Buffer): void
  /** @returns null where not one sample came. */
  peaks(): Peaks | null
}

const fullScale = 32_768

/**
 * Reduces sound of a length that is only roughly known to so many pairs, in memory that does not grow with it: each stretch of a fine raster takes a
 * few samples, and whenever all of the raster is used, neighbours are joined and stretches take twice as many.
 */
export const createPeakMeter = (length: number): PeakMeter => {
  const mostStretches = length * 4
  let lows = new Int16Array(mostStretches)
  let highs = new Int16Array(mostStretches)
  let samplesEach = 1
  let [used, inLast] = [0, 0]
  let odd: number | null = null

  const join = (): void => {
    const [joinedLows, joinedHighs] = [new Int16Array(mostStretches), new Int16Array(mostStretches)]
    for (let at = 0; at < used; at += 2) {
      joinedLows[at / 2] = Math.min(lows[at] ?? 0, lows[at + 1] ?? 0)
      joinedHighs[at / 2] = Math.max(highs[at] ?? 0, highs[at + 1] ?? 0)
    }
    ;[lows, highs, used, samplesEach] = [joinedLows, joinedHighs, used / 2, samplesEach * 2]
  }
  const take = (sample: number): void => {
    if (inLast === 0) {
      if (used === mostStretches) join()
      lows[used] = highs[used] = sample
      used += 1
    } else {
      const last = used - 1
      if (sample < (lows[last] ?? 0)) lows[last] = sample
      if (sample > (highs[last] ?? 0)) highs[last] = sample
    }
    inLast = (inLast + 1) % samplesEach
  }

  return {
    add(chunk) {
      let at = 0
      if (odd !== null && chunk.length > 0) {
        take((((chunk[0] ?? 0) << 24) >> 16) | odd)
        ;[odd, at] = [null, 1]
      }
      for (; at + 1 < chunk.length; at += 2) take(chunk.readInt16LE(at))
      if (at < chunk.length) odd = chunk[at] ?? 0
    },
    peaks() {
      if (used === 0) return null
      return Array.from({ length }, (_, index) => {
        const start = Math.floor((index * used) / length)
        const end = Math.max(start + 1, Math.floor(((index + 1) * used) / length))
        return [
          rounded(lows.subarray(start, end).reduce((least, one) => Math.min(least, one))),
          rounded(highs.subarray(start, end).reduce((most, one) => Math.max(most, one))),
        ] as const
      })
    },
  }
}

/** Six places, as nothing draws more. */
const rounded = (sample: number): number => Math.round((sample / fullScale) * 1e6) / 1e6
