import { withOneServer } from './database.ts'
import type { Proof } from './harness.ts'
import { openGround } from './races/ground.ts'
import { playRound, setSeats } from './races/round.ts'

/**
 * Everybody at once puts files into the same few slots, takes them out, verifies, cancels and purges them, some within transactions of the
 * app, while a worker takes the files through the gate, settles, purges and deletes. What everybody was told is held against a model of a
 * slot in which one call follows another.
 */
export const races: Proof = {
  name: 'races',
  means:
    'what 64 callers are told who race attach, replace, detach, purge, verify, cancel and sweep is what one after another could have been told; none is lost or double, none meets a deadlock, nothing attached loses its bytes',
  unit: 'rounds',
  amount: { ci: 8, full: 2_000 },
  shows: { calls: 'calls of 64 callers', deadlocks: 'deadlocks' },
  run: (proof) =>
    withOneServer(async () => {
      const ground = await openGround(proof)
      let deeds = 0
      let rounds = 0
      try {
        const setting = (round: number) => setSeats(ground, proof.random.fork(`seats ${round}`), round)
        let next = setting(0)
        for (let round = 0; round < proof.amount && !proof.signal.aborted; round += 1) {
          const seats = await next
          if (round + 1 < proof.amount) next = setting(round + 1)
          next.catch(() => undefined)
          deeds += await playRound({ ground, proof, seats }, proof.random.fork(`round ${round}`))
          rounds += 1
          if (rounds % 100 === 0) proof.note(`${rounds} rounds, ${deeds} calls`)
        }
        await next
        const deadlocks = await ground.deadlocks()
        if (deadlocks > 0) proof.breach(`the server ended ${deadlocks} deadlocks`)
        const { undecided, ...counts } = ground.counts
        if (undecided > 0) proof.breach(`of ${undecided} owners no answer was found: raise the bound of the search`)
        return { runs: rounds, figures: { calls: deeds, callers: 64, deadlocks, ...counts } }
      } finally {
        await ground.close()
      }
    }),
}
