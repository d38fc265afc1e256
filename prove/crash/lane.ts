import { setTimeout as pause } from 'node:timers/promises'
import type { Evening, Word } from './child.ts'
import { type Kind, openPost, unarmed } from './crew.ts'
import { type GroundOptions, openGround } from './ground.ts'
import { isTrulyLost, pidOf } from './lost.ts'
import { type Calm, evening, night, nightMs } from './night.ts'
import { deathOf } from './passing.ts'
import type { Tally } from './tally.ts'
import { judgeDusk, judgeRest } from './verdict.ts'

/** One app: a database, a store, a worker and a web process, which die and are followed by others. */
export interface Lane {
  /** Lets them die, about so many times and for so long at most; then brings it all to rest and judges what is left. */
  batch(deaths: number, withinMs: number): Promise<void>
  /** Has the server of the database die so often while the app and its workers live on; then the same. */
  outages(times: number, withinMs: number): Promise<number>
  close(): Promise<void>
}

export interface LaneOptions extends GroundOptions {
  readonly tally: Tally
  readonly cacheFolder: string
}

/** Who does not come by for so long is told other points. */
const armAgainMs = 3_000
const soughtAtOnce = 6
/** Nobody dies in the app's own process any more, and people still begin something. */
const duskMs = { ci: 600, tenth: 5_000, full: 5_000 } as const
const playOutMs = { ci: 2_000, tenth: 10_000, full: 10_000 } as const
/** Of the night, in which what waits for days comes to its end; who has no time for that goes home. */
const restMs = { ci: 0, tenth: 150_000, full: 150_000 } as const
const goOnMs = 40_000
const uneasyNightMs = 40_000
const deathsOfNight = 30

export const openLane = async (options: LaneOptions): Promise<Lane> => {
  const { proof, name, store, tally, server } = options
  const { signal } = proof
  const ground = await openGround(options)
  const breach = (text: string): void => proof.breach(`${name}: ${text}`)
  const acknowledged = new Set<string>()
  const dead = new Set<number>()
  const outages: number[] = []
  const blows = { dead, outages }
  let lastDeath = performance.now()
  let seenOfEvening: Evening | null = null

  const heard = (word: Word): void => {
    if (word.word === 'begun') tally.begun.add(word.name)
    if (word.word === 'told') for (const id of word.ids) acknowledged.add(id)
    if (word.word === 'evening') seenOfEvening = word
    if (word.word === 'rested') tally.passed(word.passed)
    if (word.word !== 'ended') return
    tally.ended.add(word.name)
    const lost = word.lost.filter((one) => isTrulyLost(one, blows)).map(({ id }) => id)
    const isForgiven = (text: string): boolean => lost.length > 0 && (text.match(uuids) ?? []).every((id) => lost.includes(id))
    if (word.breaches.some(isForgiven)) tally.other.add('forgiven')
    for (const text of word.breaches) if (!isForgiven(text)) breach(text)
  }
  const post = (kind: Kind) =>
    openPost({
      ...{ kind, task: ground.task, cacheFolder: options.cacheFolder, signal, breach, heard, spare: !server },
      died(pid, { died, passed }) {
        lastDeath = performance.now()
        dead.add(pid)
        tally.died(died)
        tally.passed(passed)
      },
    })
  const posts = { worker: post('worker'), web: post('web') }
  const both = [posts.worker, posts.web]
  const armsOf = (kind: Kind) => () => ({
    death: deathOf(proof.random, tally.wanted(kind, store), tally.hits),
    sought: proof.random.shuffle(tally.wanted(null, store)).slice(0, soughtAtOnce),
  })
  const nobodyDies = () => unarmed

  const day = async (deaths: number, withinMs: number): Promise<void> => {
    const [began, before] = [performance.now(), dead.size]
    for (let armed = -Infinity; dead.size - before < deaths && performance.now() - began < withinMs; await pause(50)) {
      if (!tally.isWanting(store) || signal.aborted) return
      if (performance.now() - Math.max(armed, lastDeath) < armAgainMs) continue
      armed = performance.now()
      posts.worker.arm(armsOf('worker'))
      posts.web.arm(armsOf('web'))
    }
  }
  const outage = async (crash: () => Promise<void>): Promise<void> => {
    const before = tally.ended.sum()
    await pause(200 + proof.random.int(1_000))
    outages.push(ground.time.clock.now().getTime())
    await crash()
    for (const began = performance.now(); tally.ended.sum() < before + 2 && performance.now() - began < goOnMs;) await pause(20)
    if (tally.ended.sum() === before) breach(`nobody came to an end with anything in ${goOnMs / 1000} s after the server came back`)
  }
  const rest = (): Calm => {
    const diedBefore = dead.size
    const withinMs = playOutMs[proof.size] + restMs[proof.size]
    let areGone = false
    void posts.web.rest(withinMs).then((itself) => {
      areGone = true
      if (!itself && proof.size !== 'ci') breach('people did not come to an end with what they played')
    })
    return {
      signal,
      evening: () => seenOfEvening,
      areTheyGone: () => areGone,
      isAlive: (worker) => !dead.has(pidOf(worker)),
      isUneasy: (passedMs) => passedMs < uneasyNightMs && dead.size < diedBefore + deathsOfNight,
      becomeCalm: () => posts.worker.arm(nobodyDies),
      async putForward(seconds) {
        const ahead = await ground.putForward(seconds)
        for (const one of both) one.putForward(ahead)
      },
    }
  }
  let [nights, heldBack] = [0, 0]
  const whole = async (live: () => Promise<unknown>): Promise<void> => {
    const before = dead.size
    const took = stopwatch()
    seenOfEvening = null
    // What was told in the night before is older than the history keeps.
    acknowledged.clear()
    await posts.web.begin()
    await live()
    took()
    posts.web.arm(nobodyDies)
    await pause(duskMs[proof.size])
    const calm = rest()
    await evening(calm, playOutMs[proof.size])
    await judgeDusk(ground, { acknowledged, blows, breach })
    took()
    if (!server) posts.worker.arm(armsOf('worker'))
    const left = await night(ground, calm, nightMs[proof.size])
    for (const text of left) breach(`after a night without any death there is still ${text}`)
    took()
    if (left.length === 0) heldBack = await judgeRest(ground, { blows, breach })
    nights += 1
    proof.note(`${name}: day ${nights}, ${dead.size - before} died, ${took().join(' + ')} s`)
  }
  await posts.worker.begin()
  return {
    batch: (deaths, withinMs) => whole(() => day(deaths, withinMs)),
    async outages(times, withinMs) {
      let count = 0
      await whole(async () => {
        for (const began = performance.now(); server && count < times && performance.now() - began < withinMs; count += 1)
          await outage(server.crash)
      })
      return count
    },
    async close() {
      tally.other.add('heldBack', heldBack)
      await Promise.all(both.map((one) => one.close()))
      await ground.close()
    },
  }
}

const uuids = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Each call gives the seconds since the one before, after those of all earlier calls. */
const stopwatch = (): (() => readonly string[]) => {
  let began = performance.now()
  const all: string[] = []
  return () => {
    all.push(((performance.now() - began) / 1000).toFixed(1))
    began = performance.now()
    return all
  }
}
