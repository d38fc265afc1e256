import { contextOf } from '../../src/context.ts'
import { createHandler } from '../../src/doors/http/create-handler.ts'
import { createRandom } from '../harness.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { openCrashApp } from './app.ts'
import { serve } from './child.ts'
import { openStreet } from './live-world.ts'
import { playable } from './plays.ts'
import type { Point } from './passing.ts'
import { createPorts } from './ports.ts'

const playingsAtOnce = 8

/** Scenarios about the calls at whose points this process is to die; all, where none is. */
const callingFor = (points: readonly Point[], all: readonly Scenario[]): readonly Scenario[] => {
  const wanted = new Set(points.map((point) => point.split(':', 1)[0]))
  const some = all.filter(({ calls }) => calls.some((call) => wanted.has(call)))
  return some.length > 0 ? some : all
}

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
      for (const scenario of random.shuffle(lane % 2 === 0 ? playable(task) : callingFor(passing.armed(), playable(task)))) {
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
