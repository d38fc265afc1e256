import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { unplayed } from '../../src/core/played.ts'
import type { Facts, Jail } from '../../src/core/ports/jail.ts'
import { createPlainJail, plainPicture } from '../../test/journeys/fixtures/plain-jail.ts'
import { isFilm, markFilm, visitFilm } from '../scenarios/fake-films.ts'

/** What files are, and what is made of them: of a picture at the gate, of a film in two jobs, of a sound nothing. */
export const kinds = {
  sound: { contentType: 'audio/mpeg', wanted: [] },
  picture: { contentType: 'image/png', wanted: ['thumb'] },
  film: { contentType: 'video/mp4', wanted: ['peaks', 'poster', 'web_720p'] },
} as const
export type Kind = keyof typeof kinds

const length = 64

/** What begins with the word is of that kind, and nothing else is in it. */
export const bytesOf = (kind: Kind): Uint8Array<ArrayBuffer> => {
  const bytes = plainPicture(length)
  if (kind === 'film') markFilm(bytes, 'slow')
  if (kind === 'sound') bytes.set(Buffer.from('sound'))
  return bytes
}

const sound: Facts = {
  ...{ kind: 'audio', contentType: kinds.sound.contentType, extension: 'mp3', placeholder: null, dominantColor: null },
  ...{
    width: null,
    height: null,
    frames: null,
    hasAlpha: null,
    ...unplayed,
    hasAudioTrack: false,
    hasVideoTrack: false,
    durationMs: 1_000,
  },
}

/** A slow film is encoded for so long, twice. */
const encodeMs = 25
const clock = { sleep: (_: number, signal?: AbortSignal) => sleep(encodeMs, undefined, { signal }) }

/** Says yes to every file but those named `bad`: slots and variants are what is on trial. */
export const judge: Jail = {
  ...createPlainJail(),
  report: async () => ({ walls: [], versions: {}, decodes: Object.values(kinds).map(({ contentType }) => contentType), missing: {} }),
  async visit(visit) {
    if (visit.filename.startsWith('bad'))
      return { verdict: 'refuse', code: 'type_unknown', message: 'It is of no known type.', details: {} }
    const bytes = await readFile(visit.path)
    if (isFilm(bytes)) return visitFilm(visit, bytes, clock)
    if (bytes[0] !== 's'.charCodeAt(0)) return createPlainJail().visit(visit)
    return { verdict: 'pass', facts: sound, rewritten: null, variants: [], figures: { gateCpuMs: 0, cpuMs: 0 } }
  },
}
