import { Socket } from 'node:net'
import { isRindleError } from '../../../core/errors.ts'
import { attend, type VisitRequest } from '../attend.ts'
import { loadSharp } from '../sharp.ts'
import { lineReader, replyDescriptor, type Reply, type Request } from './protocol.ts'

/** The end of a child's life: at once, without waiting for a decoder that is in the middle of something. */
const end = (): void => {
  process.kill(process.pid, 'SIGKILL')
}

const replies = new Socket({ fd: replyDescriptor, readable: false, writable: true })
replies.on('error', end)
const send = (reply: Reply): void => {
  replies.write(`${JSON.stringify(reply)}\n`)
}

/** One at a time; a parent that cannot read what is asked for ends this process. */
let answered: ((bytes: Uint8Array) => void) | null = null
const ask = (start: number, end: number): Promise<Uint8Array> => {
  const bytes = new Promise<Uint8Array>((resolve) => (answered = resolve))
  send({ kind: 'ask', start, end })
  return bytes
}

const answer = async (visit: VisitRequest): Promise<Reply> => {
  try {
    const passed = await attend(visit, { read: ask, need: async () => undefined, gated: () => undefined })
    return { kind: 'pass', passed, residentBytes: process.memoryUsage.rss() }
  } catch (err) {
    const residentBytes = process.memoryUsage.rss()
    if (isRindleError(err)) return { kind: 'failure', code: err.code, details: { ...err.details }, residentBytes }
    return { kind: 'fault', problem: problemOf(err), residentBytes }
  }
}

const problemOf = (err: unknown): string => {
  if (!(err instanceof Error)) return 'something that is no error was thrown'
  return 'code' in err && typeof err.code === 'string' ? err.code : `${err.name}: ${err.message}`.slice(0, 500)
}

/**
 * glibc hands every block that is larger than any freed before straight back to the kernel, and takes a fault for each of its pages when
 * it is wanted again. One large block, never touched and freed here, makes it keep what a picture needs: 10 ms of 270 for 24 megapixels.
 */
const keepFreedMemory = (): void => {
  void Buffer.allocUnsafeSlow(31 * 1024 * 1024)
  globalThis.gc?.()
}

/** Loads what the first visit would wait for. Without sharp a child still looks at files that nobody decodes. */
const warmUp = async (): Promise<string | null> => {
  keepFreedMemory()
  try {
    const sharp = await loadSharp()
    await sharp({ create: { width: 16, height: 16, channels: 4, background: '#fff' } })
      .resize(8, 8)
      .webp({ effort: 0 })
      .toBuffer()
    return null
  } catch (err) {
    return problemOf(err)
  }
}

process.stdin.setEncoding('utf8')
process.stdin.on('end', end).on('error', end)
const read = lineReader(
  16 * 1024 * 1024,
  (line) => {
    const request: Request = JSON.parse(line)
    if ('visit' in request) void answer(request.visit).then(send, end)
    else answered?.(Buffer.from(request.bytes, 'base64'))
  },
  end,
)
process.stdin.on('data', (chunk: string) => read(chunk))
send({ kind: 'warm', problem: await warmUp() })
