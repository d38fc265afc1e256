import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a peer does when it is asked, by name. Arguments and answers travel as JSON. */
export type Commands = Readonly<Record<string, (argument: never) => Promise<unknown>>>

type Argument<C> = C extends (argument: infer A) => unknown ? A : never
type Answer<C> = C extends (argument: never) => Promise<infer R> ? R : never

/** Another process, as the proof sees it. */
export interface Peer<C extends Commands> {
  ask<N extends keyof C & string>(name: N, argument: Argument<C[N]>): Promise<Answer<C[N]>>
  stop(): Promise<void>
}

/** In the peer: answers until whoever started it is gone. */
export const serve = (commands: Commands): void => {
  process.on('disconnect', () => process.exit(0))
  process.on('message', (message: { id: number; name: string; argument: never }) => {
    const { id, name, argument } = message
    const run = async (): Promise<unknown> => commands[name]?.(argument)
    run().then(
      (answer) => process.send?.({ id, answer }),
      (err: unknown) => process.send?.({ id, problem: err instanceof Error ? (err.stack ?? err.message) : String(err) }),
    )
  })
}

/** Starts `script` beside this file, which serves `commands`. */
export const startPeer = <C extends Commands>(script: string, task: object, signal: AbortSignal): Peer<C> => {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [JSON.stringify(task)], {
    execArgv: ['--conditions=rindle-source', '--expose-gc'],
    signal,
  })
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(err: Error): void }>()
  const end = (reason: string): void => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} ${reason}`))
    waiting.clear()
  }
  child.on('error', (err) => end(err.message))
  child.on('exit', (code, killed) => end(`ended with ${killed ?? code}`))
  child.on('message', (message: { id: number; answer?: unknown; problem?: string }) => {
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.problem === undefined) asked?.resolve(message.answer)
    else asked?.reject(new Error(`${script}: ${message.problem}`))
  })
  let last = 0
  return {
    ask: (name, argument) =>
      new Promise((resolve, reject) => {
        const id = (last += 1)
        waiting.set(id, { resolve: (answer) => resolve(answer as never), reject })
        child.send({ id, name, argument })
      }),
    stop: () => stop(child),
  }
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.disconnect()
  await ended
}
