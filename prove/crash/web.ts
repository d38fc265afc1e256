import { contextOf } from '../../src/context.ts'
import { createHandler } from '../../src/doors/http/create-handler.ts'
import { createRandom } from '../harness.ts'
import { openCrashApp } from './app.ts'
import { serve } from './child.ts'
import { openStreet } from './live-world.ts'
import { playable } from './plays.ts'
import { createPorts } from './ports.ts'

const playingsAtOnce = 5

/** A process of the app with people in it, who play one scenario after the other, several at a time. */
await serve(async ({ task, time, passing, logger, say }) => {
  const ports = createPorts(passing, 'app')
  const rindle = openCrashApp(task, time, ports, logger)
  await rindle.ready()
  const handler = createHandler(rindle, { identify: () => null, authorize: () => true })
  const street = openStreet({ task, rindle, ctx: contextOf(rindle), handler, ports })
  let isOpen = true
  const lanes: Promise<void>[] = []

  const playOn = async (number: number, lane: number): Promise<void> => {
    const random = createRandom(number).fork(lane)
    for (let count = 0; isOpen;) {
      for (const scenario of random.shuffle(playable(task))) {
        if (!isOpen) return
        count += 1
        const { how, breaches, ids } = await street.play(scenario, random.fork(count), `${scenario.name}-${number}-${lane}-${count}`)
        for (const text of breaches) say({ word: 'breach', text })
        say({ word: 'played', name: scenario.name, how, ids })
      }
    }
  }
  return {
    begin(number) {
      for (let lane = 0; lane < playingsAtOnce; lane += 1) lanes.push(playOn(number, lane))
    },
    async rest() {
      isOpen = false
      await Promise.all(lanes)
    },
  }
})
