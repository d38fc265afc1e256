import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** ClamAV counts a level for the stream itself; 17 are its default, 100 the most that its manual allows. */
const levels = 128

let made: Uint8Array<ArrayBuffer> | undefined

/**
 * A harmless archive of some 3 kB that is nested deeper than clamd unpacks. Another one in every process: clamd remembers what it found
 * clean, so that somebody could have had the inner half of a known one looked at before, and then the whole would not be too deep any more.
 */
export const nestedTooDeep = (): Uint8Array<ArrayBuffer> => {
  if (made) return made
  let bytes = new Uint8Array(randomBytes(16))
  for (let level = 0; level < levels; level += 1) bytes = new Uint8Array(gzipSync(bytes))
  return (made = bytes)
}
