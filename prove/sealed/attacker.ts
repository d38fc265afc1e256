import type { SignedRequest } from '../../src/core/ports/storage.ts'
import type { BucketCall, Landing } from '../../src/testing/memory-bucket.ts'
import type { Random } from '../harness.ts'
import type { Bytes } from './bodies.ts'
import type { Director, Ground } from './ground.ts'

/** A ticket, and all that its owner may want to send with it. */
export type Held = {
  readonly ticket: SignedRequest
  readonly bodies: readonly Bytes[]
}

export type Counts = Record<'rePuts' | 'knocks' | 'landedLate' | 'heldUp', number>

export type AttackerOptions = {
  readonly ground: Ground
  readonly random: Random
  readonly counts: Counts
  /** Calls of the library that anybody may make again at any time: verifying, completing, promoting. */
  readonly knock: () => Promise<unknown>
  /** Lets so much time pass that leases run out; null where time cannot be set. */
  readonly outlast: (() => void) | null
  readonly breach: (text: string) => void
}

/** Owns every ticket of one upload, and uses them between any two calls. */
export type Attacker = Director & {
  own(held: Held): void
  /** Sends with one of the tickets, whatever comes of it. */
  rePut(): Promise<void>
  /** From now on calls land as they should. */
  calm(): void
  /** Lets all that has not landed land, in any order. */
  landAll(): Promise<void>
  /** Waits for what was begun beside the rest. */
  settle(): Promise<void>
}

const most = { knocks: 3, turns: 60 }

/** What becomes of a call: the rest of a hundred lands now. */
const chances: Readonly<Record<BucketCall['operation'], Partial<Record<Exclude<Landing, 'now'> | 'held', number>>>> = {
  send: { late: 15, unseen: 5, never: 4 },
  copy: { late: 7, unseen: 6, never: 3, held: 4 },
  complete: { late: 7, unseen: 8, never: 3 },
  create: { unseen: 3, never: 2 },
  put: { late: 5, unseen: 4, never: 3 },
  delete: { late: 5, unseen: 4, never: 3 },
  abort: { late: 5, unseen: 4, never: 3 },
}

export const createAttacker = ({ ground, random, counts, knock, outlast, breach }: AttackerOptions): Attacker => {
  const hand: Held[] = []
  const beside: Promise<unknown>[] = []
  const held: ((landing: Landing) => void)[] = []
  let isCalm = false
  let knocks = 0
  let turns = 0

  const rePut = async (): Promise<void> => {
    if (hand.length === 0) return
    const { ticket, bodies } = random.pick(hand)
    counts.rePuts += 1
    await ground.send({ ...ticket, body: random.pick(bodies) }).catch(() => undefined)
  }
  const landOne = (): void => {
    const [call] = random.shuffle(ground.late)
    if (call?.land()) counts.landedLate += 1
    if (held.length > 0 && random.chance(0.5)) held.splice(random.int(held.length), 1)[0]?.('now')
  }
  const tryAnything = async (): Promise<void> => {
    const dice = random.next()
    if (dice < 0.5) return rePut()
    if (dice < 0.65) return void beside.push(rePut())
    if (dice < 0.8) return landOne()
    if (knocks >= most.knocks || isCalm) return
    knocks += 1
    counts.knocks += 1
    beside.push(knock().catch(() => undefined))
  }
  const holdUp = (): Promise<Landing> => {
    counts.heldUp += 1
    setImmediate(() => outlast?.())
    return new Promise((resolve) => held.push(resolve))
  }

  return {
    rePut,
    own: (one) => void hand.push(one),
    calm: () => void (isCalm = true),
    async between() {
      turns += 1
      if (turns <= most.turns && random.chance(0.5)) await tryAnything()
    },
    landing({ operation }) {
      if (isCalm) return 'now'
      let dice = random.next() * 100
      for (const [what, share] of Object.entries(chances[operation])) {
        dice -= share
        if (dice >= 0) continue
        if (what !== 'held') return what === 'late' || what === 'unseen' ? what : 'never'
        return outlast ? holdUp() : 'now'
      }
      return 'now'
    },
    ticket(key, url) {
      const named = decodeURIComponent(new URL(url).pathname)
      if (!key.startsWith('staging/') || !named.includes(key) || /(^|\/)(sealed|variants)\//.test(named))
        breach(`a ticket that writes was given out for ${key}`)
    },
    async landAll() {
      for (const resolve of random.shuffle(held.splice(0))) resolve(random.pick(['now', 'now', 'never']))
      await new Promise((resolve) => setImmediate(resolve))
      for (const call of random.shuffle(ground.late)) if (call.land()) counts.landedLate += 1
    },
    async settle() {
      while (beside.length > 0) await Promise.all(beside.splice(0))
    },
  }
}
