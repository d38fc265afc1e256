import { Socket } from 'node:net'
import type { Launched } from './launch.ts'
import { lineReader, replyDescriptor, type Reply } from './protocol.ts'
import { replyFrom } from './reply.ts'

export interface Inbox {
  /** The next reply that something is to be done about, or null when the child has ended. `gated` is called for those that only tell. */
  next(gated?: () => void): Promise<Reply | null>
}

const longestReply = 1024 * 1024

/** A child is not trusted to write sense: what is no reply counts as its end, and one that speaks unasked is ended. */
export const replyInbox = ({ child, kill }: Launched): Inbox => {
  let ended = false
  let waiting: { readonly resolve: (reply: Reply | null) => void; readonly gated: (() => void) | undefined } | null = null
  const deliver = (reply: Reply | null): void => {
    if (reply === null) ended = true
    waiting?.resolve(reply)
    waiting = null
  }
  const expel = (): void => {
    void kill()
    deliver(null)
  }
  const hear = (line: string): void => {
    if (!waiting) return expel()
    const reply = replyFrom(line)
    if (reply?.kind === 'gated' && waiting.gated) waiting.gated()
    else deliver(reply)
  }
  const read = lineReader(longestReply, hear, expel)
  const pipe = child.stdio[replyDescriptor]
  if (pipe instanceof Socket)
    pipe
      .setEncoding('utf8')
      .on('data', (chunk: string) => read(chunk))
      .on('error', () => deliver(null))
  child.stdin?.on('error', () => deliver(null))
  child.once('error', () => deliver(null))
  child.once('close', () => deliver(null))
  return {
    next: (gated) =>
      new Promise((resolve) => {
        if (ended) resolve(null)
        else waiting = { resolve, gated }
      }),
  }
}
