import { plainPicture } from '../../test/journeys/fixtures/plain-jail.ts'
import type { Random } from '../harness.ts'
import { type FilmKind, markFilm } from '../scenarios/fake-films.ts'
import { poisonAt, poisonOfEncodesAt } from './unreliable-ports.ts'

export type Bytes = Uint8Array<ArrayBuffer>

const firstFree = 7

/** What the jail of a storm takes for a picture, unlike any other. */
export const pictureOf = (random: Random, length: number): Bytes => {
  const bytes = plainPicture(length)
  bytes.set(random.bytes(length - firstFree), firstFree)
  bytes.fill(0, poisonAt, firstFree)
  return bytes
}

/** What it takes for a film. */
export const filmOf = (random: Random, length: number, kind: FilmKind): Bytes => {
  const bytes = random.bytes(length)
  markFilm(bytes, kind)
  bytes.fill(0, poisonAt, poisonOfEncodesAt + 1)
  return bytes
}
