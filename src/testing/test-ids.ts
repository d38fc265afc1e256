import type { Ids } from '../core/ids.ts'
import { createChances } from './chances.ts'

const noon = Date.parse('2026-01-01T12:00:00.000Z')

/**
 * Ids that follow from a seed and from the order in which they are asked for: of the form of UUIDv7, each greater than the one before it. Two
 * Rindles over one database need different seeds.
 */
export const createTestIds = (seed = 1): Ids => {
  const chance = createChances(seed)
  const hex = (digits: number): string =>
    Math.floor(chance() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0')
  let count = 0
  return {
    next() {
      count += 1
      const time = (noon + count).toString(16).padStart(12, '0')
      const variant = (8 + Math.floor(chance() * 4)).toString(16)
      return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${variant}${hex(3)}-${hex(6)}${hex(6)}`
    },
  }
}
