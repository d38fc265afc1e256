import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Task } from './app.ts'
import type { Arms, Order, Word } from './child.ts'
import { type LastWords, lastWordsOf } from './passing.ts'

export type Kind = 'worker' | 'web'

/** One post of a lane that is never empty for long: who dies is followed by somebody who stood by. */
export interface Post {
  /** Tells whoever is there, and whoever comes. */
  arm(arms: () => Arms): void
  putForward(seconds: number): void
  /** Tells the one that is there to begin nothing new; nobody follows. @returns whether it came to its end by itself within that time. */
  rest(withinMs: number): Promise<boolean>
  /** Somebody else, where nobody is. */
  begin(): Promise<void>
  /** Ends the one that is there, who does nothing that matters. */
  close(): Promise<void>
}

export interface CrewOptions {
  readonly kind: Kind
  readonly task: Task
  /** Compiled code is kept there from one process to the next. */
  readonly cacheFolder: string
  readonly signal: AbortSignal
  /** Whether somebody stands by, ready to follow. */
  readonly spare: boolean
  /** Somebody died where they had been told to. */
  died(pid: number, words: LastWords): void
  heard(word: Word): void
  breach(text: string): void
}

interface Member {
  readonly child: ChildProcess
  readonly ready: Promise<void>
  readonly ended: Promise<void>
}

export const unarmed: Arms = { death: null, sought: [] }

let numbers = 0

export const openPost = (options: CrewOptions): Post => {
  const { kind, task } = options
  let ahead = 0
  let armsOf = (): Arms => unarmed
  let standby: Member | null = options.spare ? startMember(options) : null
  let active: Member | null = null
  let resting: Member | null = null
  let isClosing = false

  // Who has just died is told nothing any more.
  const tell = (member: Member, order: Order): void => void (member.child.connected && member.child.send(order, () => undefined))
  const begin = async (): Promise<void> => {
    const member = standby ?? startMember(options)
    standby = null
    active = member
    await member.ready
    void member.ended.then(() => after(member))
    numbers += 1
    tell(member, { order: 'begin', ahead, arms: armsOf(), number: numbers })
    standby = isClosing || !options.spare ? null : startMember(options)
  }
  const after = (member: Member): void => {
    if (active !== member) return
    active = null
    const { exitCode, signalCode, pid = 0 } = member.child
    const words = lastWordsOf(task.folder, pid)
    if (words) options.died(pid, words)
    else if (!isClosing && !options.signal.aborted) options.breach(`a ${kind} ended with ${signalCode ?? exitCode}, and was not told to`)
    if (!isClosing) begin().catch((err: unknown) => options.breach(`no ${kind} follows: ${String(err)}`))
  }
  const end = async (member: Member | null): Promise<void> => {
    if (!member) return
    member.child.kill('SIGKILL')
    await member.ended
  }
  return {
    begin,
    arm(arms) {
      armsOf = arms
      if (active) tell(active, { order: 'arm', arms: arms() })
    },
    putForward(seconds) {
      ahead = seconds
      for (const one of [active, resting]) if (one) tell(one, { order: 'put forward', ahead })
    },
    async rest(withinMs) {
      const member = active
      if (!member) return true
      await member.ready
      active = null
      resting = member
      const rested = new Promise<boolean>((resolve) => {
        member.child.on('message', (word: Word) => word.word === 'rested' && resolve(true))
        void member.ended.then(() => resolve(false))
        setTimeout(() => resolve(false), withinMs).unref()
      })
      tell(member, { order: 'rest' })
      const itself = await rested
      await end(member)
      resting = null
      return itself
    },
    async close() {
      isClosing = true
      const all = [active, standby, resting]
      active = null
      standby = null
      await Promise.all(all.map(end))
    },
  }
}

const startMember = ({ kind, task, cacheFolder, heard, breach, signal }: CrewOptions): Member => {
  const child = fork(fileURLToPath(new URL(`./${kind}.ts`, import.meta.url)), [JSON.stringify(task)], {
    execArgv: ['--conditions=rindle-source'],
    env: { ...process.env, NODE_COMPILE_CACHE: cacheFolder },
  })
  const ended = once(child, 'exit').then(() => undefined)
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (word: Word) => {
      if (word.word === 'ready') resolve()
      else if (word.word === 'breach') breach(word.text)
      else heard(word)
    })
    void ended.then(() => reject(new Error(`a ${kind} ended before it was ready`)))
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  ready.catch(() => undefined)
  return { child, ready, ended }
}
