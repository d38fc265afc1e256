import { flushCompileCache } from 'node:module'
import type { Logger } from '../../src/core/ports/logger.ts'
import { silent } from '../scenarios/stage.ts'
import type { Task } from './app.ts'
import { createFastTime, type FastTime } from './fast-time.ts'
import { createPassing, type Death, type Passing, type Point } from './passing.ts'

/** From whoever started the process. */
export type Order =
  | { readonly order: 'begin'; readonly ahead: number; readonly death: Death | null; readonly number: number }
  | { readonly order: 'arm'; readonly death: Death | null }
  | { readonly order: 'put forward'; readonly ahead: number }
  | { readonly order: 'rest' }

/** To whoever started it. */
export type Word =
  | { readonly word: 'ready' | 'rested' }
  | { readonly word: 'seen'; readonly point: Point }
  | { readonly word: 'breach'; readonly text: string }
  | { readonly word: 'played'; readonly name: string; readonly how: string; readonly ids: readonly string[] }

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
  /** Comes to an end by itself. */
  rest(): Promise<void>
}

/** A process of the proof: gets itself ready, and then does as it is told. It ends with the process that started it. */
export const serve = async (open: (child: Child) => Promise<Duty>): Promise<void> => {
  process.on('disconnect', () => process.exit(0))
  const task: Task = JSON.parse(process.argv[2] ?? '{}')
  const say = (word: Word): void => void process.send?.(word)
  const time = createFastTime(task)
  const passing = createPassing(task.folder, (point) => say({ word: 'seen', point }))

  const duty = await open({ task, time, passing, say, logger: silent })
  process.on('message', (order: Order) => {
    if (order.order === 'begin' || order.order === 'put forward') time.putForward(order.ahead)
    if (order.order === 'begin' || order.order === 'arm') passing.arm(order.death)
    if (order.order === 'begin') duty.begin(order.number)
    if (order.order === 'rest') void duty.rest().then(() => say({ word: 'rested' }))
  })
  // Who is killed writes down nothing at its end.
  flushCompileCache()
  say({ word: 'ready' })
}
