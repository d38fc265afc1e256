import { readFile } from 'node:fs/promises'
import type { Clock } from '../../src/core/clock.ts'
import { unplayed } from '../../src/core/played.ts'
import type { Facts, Jail } from '../../src/core/ports/jail.ts'
import { createPlainJail } from '../../test/journeys/fixtures/plain-jail.ts'
import { isFilm, visitFilm } from './fake-films.ts'

export const placeAt = 20
export const placeMark = 0x99

/**
 * Decodes nothing. What has 0x99 where a place would stand is served without it, what need not be a picture is text, and films take their time by
 * `clock`.
 */
export const createFakeDecoder = (clock: Pick<Clock, 'sleep'>): Jail => {
  const plain = createPlainJail()
  plain.rewrite = (bytes) => {
    if (bytes[placeAt] !== placeMark) return { bytes, changed: [] }
    const without = Buffer.from(bytes)
    without[placeAt] = 0
    return { bytes: without, changed: [{ start: placeAt, end: placeAt + 1 }] }
  }
  return {
    ...plain,
    report: async () => ({ walls: [], versions: {}, decodes: ['image/png', 'video/mp4'], missing: {} }),
    async visit(visit) {
      plain.visits.length = 0
      visit.signal?.throwIfAborted()
      const bytes = visit.profileKind === 'media' ? await readFile(visit.path) : null
      if (bytes) return isFilm(bytes) ? visitFilm(visit, bytes, clock) : plain.visit(visit)
      return { verdict: 'pass', facts: text, rewritten: null, variants: [], figures: { gateCpuMs: 0, cpuMs: 0 } }
    },
  }
}

const text: Facts = {
  ...{ kind: 'file', contentType: 'text/plain', extension: 'txt', placeholder: null, dominantColor: null },
  ...{ width: null, height: null, frames: null, hasAlpha: null, ...unplayed },
}
