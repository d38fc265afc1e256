import type { RindleContext } from '../../src/context.ts'
import type { Rindle } from '../../src/rindle.ts'
import type { Random } from '../harness.ts'
import type { ScenarioRindle } from './app.ts'

/** What an app can call, by its name. */
export type PublicCall = Exclude<keyof Rindle, typeof Symbol.asyncDispose>

/**
 * Something that people do with the library, from its beginning to its end: one record in `table.ts`, run by every proof that breaks something
 * meanwhile. What it needs is made by itself, so that any number of it can run side by side in one app.
 *
 * What is new in the library becomes a row. A file of the feature's own (`video.ts`, `erasure.ts`) exports its scenarios, `table.ts` lists them,
 * and a profile or slot that they need is added to `app.ts`; `nth`, `storm`, `secrets` and `crash` then play them as they are, and
 * `test/journeys/scenarios.test.ts` tells which public call has no scenario yet. A port that is new (a transcoder, a webhook's receiver) needs
 * one thing more: a way to go wrong in `Trouble` of `testbed.ts`, and its faults in `nth/ways.ts`.
 */
export interface Scenario {
  /** Lower case, with dashes. */
  readonly name: string
  /** What is done and how it ends, in a sentence. */
  readonly means: string
  /** What it is about. Every public call stands in one scenario at least; a test sees to it. */
  readonly calls: readonly PublicCall[]
  /**
   * Plays it. Every call of the app goes through `world.call`, which repeats it as an app does; what must hold at the end is said by
   * `world.expect`, after `world.settle()`. May take any way that is right where something went wrong meanwhile, and must end either way.
   */
  play(world: World): Promise<void>
}

export type Bytes = Uint8Array<ArrayBuffer>

/** What a scenario has at hand: an app with somebody to click in it, workers, and time. What goes wrong is the proof's business. */
export interface World {
  readonly rindle: ScenarioRindle
  readonly ctx: RindleContext
  /** Of this playing alone. */
  readonly random: Random
  /** Text that belongs to this playing alone: for owners' ids, keys and file names. */
  readonly label: string
  /** True where nothing is made to go wrong: then everything takes its usual way, and in its usual time. */
  readonly undisturbed: boolean
  /** What a person, or the app for them, calls: repeated while the answer says that this may help, and where the answer was lost. */
  call<T>(run: () => Promise<T>): Promise<T>
  /** The same where a refusal with one of these codes is what should come. @returns the code. */
  refused(codes: readonly string[], run: () => Promise<unknown>): Promise<string>
  /**
   * Does what the ticket says, as a browser does: again where the connection was lost, and content with "exists already".
   * @returns false when the ticket is not good, or not any more.
   */
  send(signed: Sendable, bytes: Bytes): Promise<boolean>
  /** GETs what a URL leads to, as a visitor does. Null when it is refused. */
  fetch(url: string): Promise<Bytes | null>
  /** Puts an object where nobody was asked: what a careless store or a stranger does. */
  intrude(key: string, bytes: Bytes): Promise<void>
  /** Runs `run` in a transaction of the app's own, which ends so. */
  transaction<T>(end: 'commit' | 'rollback', run: (tx: object) => Promise<T>): Promise<T>
  /** The same app once more, as in another process, for what opens and closes. Closed by the scenario. */
  another(): ScenarioRindle
  /** Waits until the workers have nothing to do now. */
  settle(): Promise<void>
  /** Lets so much time pass, with workers at work. */
  pass(seconds: number): Promise<void>
  /** Counts a broken promise when it does not hold. */
  expect(holds: boolean, text: string): void
}

/** What `signUpload`, `signMultipartPart` and `presignedPut` hand to a client. */
export interface Sendable {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}
