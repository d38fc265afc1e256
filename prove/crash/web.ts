import { setTimeout as pause } from 'node:timers/promises'
import { contextOf } from '../../src/context.ts'
import { createHandler } from '../../src/doors/http/create-handler.ts'
import { createRandom } from '../harness.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { openCrashApp } from './app.ts'
import { serve } from './child.ts'
import { earliest, openStreet, type Playing } from './live-world.ts'
import { leadingTo, playable } from './plays.ts'
import type { Point } from './passing.ts'
import { createPorts } from './ports.ts'

const playingsAtOnce = 8
const sayEveryMs = 50

/**
 * A process of the app with people in it, who play one scenario after the other, several at a time. Who waits for a time that is far off is
 * set aside meanwhile. In the evening they begin nothing new, and everything is played to its end.
 */
await serve(async ({ task, time, passing, logger, say }) => {
  const ports = createPorts(passing, 'app')
  const rindle = openCrashApp(task, time, ports, logger)
  await rindle.ready()
  const handler = createHandler(rindle, { identify: () => null, authorize: () => true })
  const street = openStreet({
    ...{ task, rindle, ctx: contextOf(rindle), handler, ports },
    another: () => openCrashApp(task, time, null, logger),
    told: (ids) => say({ word: 'told', ids }),
  })
  let isOpen = true
  let sought: readonly Point[] = []
  const playings = new Map<string, Playing>()
  const aside = new Set<string>()

  const play = async (scenario: Scenario, number: number, count: string): Promise<void> => {
    const { name } = scenario
    const label = `${name}-${number}-${count}`
    say({ word: 'begun', name })
    const playing = street.play(scenario, createRandom(number).fork(count), label)
    playings.set(label, playing)
    const ended = playing.ended.then((played) => {
      playings.delete(label)
      aside.delete(name)
      say({ word: 'ended', name, ...played })
    })
    const setAside = playing.setAside.then(() => void (playings.has(label) && aside.add(name)))
    await Promise.race([ended, setAside])
  }
  const playOn = async (number: number, lane: number): Promise<void> => {
    const random = createRandom(number).fork(lane)
    for (let count = 0; isOpen;) {
      const all = playable(task).filter(({ name }) => !aside.has(name))
      if (all.length === 0) await pause(sayEveryMs)
      for (const scenario of random.shuffle(lane % 2 === 0 ? all : leadingTo(sought, all))) {
        if (!isOpen) return
        if (aside.has(scenario.name)) continue
        count += 1
        await play(scenario, number, `${lane}-${count}`)
      }
    }
  }
  return {
    seek: (points) => void (sought = points),
    begin(number) {
      for (let lane = 0; lane < playingsAtOnce; lane += 1) void playOn(number, lane)
    },
    async rest() {
      isOpen = false
      for (; playings.size > 0; await pause(sayEveryMs)) {
        const all = [...playings.values()]
        const times = all.map((playing) => playing.until())
        const isWaiting = all.every((playing) => playing.isWaiting())
        say({ word: 'evening', left: all.length, isWaiting, until: earliest(times), isForWorkers: times.includes(null) })
      }
    },
  }
})
