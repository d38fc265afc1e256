import { Socket } from 'node:net'
import type { Launched } from './launch.ts'
import { lineReader, longestAside, replyDescriptor, type Reply } from './protocol.ts'
import { replyFrom } from './reply.ts'

export interface Inbox {
  /** The next reply that something is to be done about, or null when the child has ended. `told` is called for those that only tell, and says false where that may not be told. */
  next(told?: (news: News) => boolean | void): Promise<Reply | null>
}

/** What nobody has to answer. */
export type News = Extract<Reply, { kind: 'gated' | 'progress' }>

const isNews = (reply: Reply): reply is News => reply.kind === 'gated' || reply.kind === 'progress'

const longestReply = 1024 * 1024

/**
 * A child is not trusted to write sense: one that says what is no reply, too much of it, or anything unasked is ended, and nothing that it says
 * from then on is read.
 */
export const replyInbox = ({ child, kill }: Launched): Inbox => {
  let ended = false
  let waiting: { readonly resolve: (reply: Reply | null) => void; readonly told: ((news: News) => boolean | void) | undefined } | null =
    null
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
    if (!isNews(reply) || !waiting.told) deliver(reply)
    else if (waiting.told(reply) === false) return expel()
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
    next: (told) =>
      new Promise((resolve) => {
        if (ended) resolve(null)
        else waiting = { resolve, told }
      }),
  }
}
