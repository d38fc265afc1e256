import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** A process that holds daemons until its input ends, detached and over pipes: it must not keep a finished process waiting. */
export function letGo(holder: ChildProcess): void {
  holder.unref()
  for (const stream of holder.stdio) if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
}

/** Ends the input of a holder that was let go, and waits until it and all that it held are gone. */
export async function stopHolder(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return
  holder.ref()
  const ended = once(holder, 'exit')
  holder.stdin?.end()
  await ended
}
