import { createPassingTime, type PassingTime } from './passing-time.ts'
import type { Playing } from './playing.ts'
import { createCalls } from './repeating.ts'
import type { World } from './scenario.ts'
import type { Testbed } from './testbed.ts'

/** A world for one playing, and what follows it. */
export type PlayedWorld = World & PassingTime

export const createWorld = (testbed: Testbed, playing: Playing): PlayedWorld => {
  const { rindle, ctx, transaction, another } = testbed
  const { random, label, undisturbed, breach } = playing
  const time = createPassingTime(testbed, playing)
  return {
    ...{ rindle, ctx, random, label, undisturbed, transaction, another },
    ...time,
    ...createCalls(testbed, playing, time.pass),
    async intrude(key, bytes) {
      const { adapter } = testbed.bucket()
      await adapter.delete(key)
      await adapter.put(key, new Blob([bytes]).stream(), { contentType: 'image/png' })
    },
    expect: (holds, text) => void (holds || breach(text)),
  }
}
