import { Socket } from 'node:net'
import type { Launched } from './launch.ts'
import { lineReader, longestAside, replyDescriptor, type Reply } from './protocol.ts'
import { replyFrom } from './reply.ts'

export interface Inbox {
  /** The next reply that something is to be done about, or null when the child has ended. `gated` is called for those that only tell, and says whether it may be told. */
  next(gated?: () => boolean | void): Promise<Reply | null>
}

const longestReply = 1024 * 1024

/**
 * A child is not trusted to write sense: one that says what is no reply, too much of it, or anything unasked is ended, and nothing that it says
 * from then on is read.
 */
export const replyInbox = ({ child, kill }: Launched): Inbox => {
  let ended = false
  let waiting: { readonly resolve: (reply: Reply | null) => void; readonly gated: (() => boolean | void) | undefined } | null = null
  const deliver = (reply: Reply | null): void => {
    if (reply === null) ended = true
    waiting?.resolve(reply)
    waiting = null
  }
  const pipe = child.stdio[replyDescriptor]
  const expel = (): boolean => {
    if (pipe instanceof Socket) pipe.destroy()
    if (!ended) void kill()
    deliver(null)
    return false
  }
  const hear = (line: string): boolean => {
    if (!waiting || ended) return expel()
    const reply = replyFrom(line)
    if (reply === null || (line.length > longestAside && reply.kind !== 'pass' && reply.kind !== 'failure')) return expel()
    if (reply.kind !== 'gated' || !waiting.gated) deliver(reply)
    else if (waiting.gated() === false) return expel()
    return true
  }
  const read = lineReader(longestReply, hear, expel)
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
