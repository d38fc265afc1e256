import type { House } from './house.ts'
import type { Straight } from './straight.ts'

/** An app, and the way past its gate, both with the same walls around their decoders. */
export interface Walls {
  readonly name: string
  readonly house: House
  readonly straight: Straight
}
