import { withOneServer } from './database.ts'
import type { Proof } from './harness.ts'
import { openGround } from './races/ground.ts'
import { judgeRound, race, setSeats } from './races/round.ts'

/** While one is raced, the next is set and the last comes to rest. */
const roundsUnderWay = 3

/**
 * Everybody at once puts files into the same few slots, takes them out, verifies, cancels and purges them, stops what is made of them and asks
 * for it again, some within transactions of the app, while a worker takes the files through the gate, makes their variants, settles, purges and
 * deletes. What everybody was told is held against a model of slots and variants in which one call follows another.
 */
export const races: Proof = {
  name: 'races',
  means:
    'what 64 callers are told who race attach, replace, detach, purge, verify, cancel, sweep, and stop what is made of a file or ask for it again, is what one after another could have been told; none is lost or double, none meets a deadlock, nothing attached loses its bytes',
  unit: 'rounds',
  amount: { ci: 8, full: 2_000 },
  shows: { calls: 'calls of 64 callers', deadlocks: 'deadlocks' },
  run: (proof) =>
    withOneServer(async () => {
      const ground = await openGround(proof)
      let [next, rounds, deeds] = [0, 0, 0]
      let racing: Promise<void> = Promise.resolve()
      const lane = async (): Promise<void> => {
        for (let number = next++; number < proof.amount && !proof.signal.aborted; number = next++) {
          const seats = await setSeats(ground, proof.random.fork(`seats ${number}`), number)
          const round = { ground, seats }
          racing = racing.then(() => race(round, proof.random.fork(`round ${number}`)))
          await racing
          const calls = await judgeRound(round, proof.random.fork(`orders ${number}`))
          deeds += calls
          rounds += 1
          if (rounds % 100 === 0) proof.note(`${rounds} rounds, ${deeds} calls`)
        }
      }
      try {
        await Promise.all(Array.from({ length: roundsUnderWay }, lane))
        const deadlocks = await ground.deadlocks()
        if (deadlocks > 0) ground.breach(`the server ended ${deadlocks} deadlocks`)
        const { undecided, ...counts } = ground.counts
        if (undecided > 0) ground.breach(`of ${undecided} owners no answer was found: raise the bound of the search`)
        return { runs: rounds, figures: { calls: deeds, callers: 64, deadlocks, ...counts } }
      } finally {
        await ground.close()
      }
    }),
}
