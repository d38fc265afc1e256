/** Numbers in [0, 1) that follow from a seed alone (a linear congruential generator of 64 bits, of which the upper 32 are shown). */
export const createChances = (seed: number): (() => number) => {
  let state = BigInt.asUintN(64, BigInt(Math.trunc(seed)) * 0x9e3779b97f4a7c15n + 1n)
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n)
    return Number(state >> 32n) / 0x1_0000_0000
  }
}
