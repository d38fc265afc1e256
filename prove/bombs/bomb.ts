import type { Random } from '../harness.ts'

/** A file that is made to hurt whoever opens it. */
export interface Bomb {
  readonly name: string
  /** Its extension says what it wants to be taken for. */
  readonly filename: string
  readonly bytes: Uint8Array
}

/** One way to hurt, in several sizes and shapes. What is drawn varies with the seed; what it is about does not. */
export interface Family {
  readonly name: string
  readonly bombs: readonly ((random: Random) => Bomb | Promise<Bomb>)[]
}

export const bomb = (name: string, extension: string, bytes: Uint8Array): Bomb => ({ name, filename: `bomb.${extension}`, bytes })
