import { flushCompileCache } from 'node:module'
import type { Logger } from '../../src/core/ports/logger.ts'
import { silentLogger as silent } from '../../src/adapters/telemetry/logger.ts'
import type { Task } from './app.ts'
import { createFastTime, type FastTime } from './fast-time.ts'
import { createPassing, type Death, type Passing, type Passings, type Point } from './passing.ts'

/** From whoever started the process. */
export type Order =
  | { readonly order: 'begin'; readonly ahead: number; readonly arms: Arms; readonly number: number }
  | { readonly order: 'arm'; readonly arms: Arms }
  | { readonly order: 'put forward'; readonly ahead: number }
  | { readonly order: 'rest' }

/** How a process is to die, and what others and it are to come by most of all: people play what leads there. */
export interface Arms {
  readonly death: Death | null
  readonly sought: readonly Point[]
}

/** What is left to wait for of what people play who begin nothing new. */
export interface Evening {
  /** So many playings have not ended. */
  readonly left: number
  /** Whether all of those wait: for a time that is to come, or for workers. */
  readonly isWaiting: boolean
  /** The first time that is waited for, in milliseconds. */
  readonly until: number | null
  /** Whether somebody waits for workers, who may be late only by so much. */
  readonly isForWorkers: boolean
}

/** What came of a playing. */
export interface Played {
  readonly breaches: readonly string[]
  /** Of these files the app says that workers were lost over them, and who worked on each in vain. */
  readonly lost: readonly Lost[]
}

export interface Lost {
  readonly id: string
  readonly runs: readonly LostRun[]
}

/** From when on somebody worked on a file, and when the lease was found to be lost, null until then, in milliseconds of the app's time. */
export interface LostRun {
  readonly worker: string
  readonly from: number
  readonly until: number | null
}

/** To whoever started it. */
export type Word =
  | { readonly word: 'ready' }
  | { readonly word: 'rested'; readonly passed: Passings }
  | { readonly word: 'breach'; readonly text: string }
  | { readonly word: 'begun'; readonly name: string }
  /** The app was told of these rows, and they are committed. */
  | { readonly word: 'told'; readonly ids: readonly string[] }
  | ({ readonly word: 'ended'; readonly name: string } & Played)
  | ({ readonly word: 'evening' } & Evening)

export interface Child {
  readonly task: Task
  readonly time: FastTime
  readonly passing: Passing
  readonly logger: Logger
  say(word: Word): void
}

interface Duty {
  /** Called once. */
  begin(number: number): void
  seek?(points: readonly Point[]): void
  /** Comes to an end by itself. */
  rest(): Promise<void>
}

/** A process of the proof: gets itself ready, and then does as it is told. It ends with the process that started it. */
export const serve = async (open: (child: Child) => Promise<Duty>): Promise<void> => {
  process.on('disconnect', () => process.exit(0))
  const task: Task = JSON.parse(process.argv[2] ?? '{}')
  const say = (word: Word): void => void process.send?.(word)
  const time = createFastTime(task)
  const passing = createPassing(task.folder)

  const duty = await open({ task, time, passing, say, logger: silent })
  process.on('message', (order: Order) => {
    if (order.order === 'begin' || order.order === 'put forward') time.putForward(order.ahead)
    if (order.order === 'begin' || order.order === 'arm') {
      passing.arm(order.arms.death)
      duty.seek?.(order.arms.sought)
    }
    if (order.order === 'begin') duty.begin(order.number)
    if (order.order === 'rest') void duty.rest().then(() => say({ word: 'rested', passed: passing.passed() }))
  })
  // Who is killed writes down nothing at its end.
  flushCompileCache()
  say({ word: 'ready' })
}
