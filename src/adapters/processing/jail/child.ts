import { Socket } from 'node:net'
import { isRindleError, RindleError } from '../../../core/errors.ts'
import { attend, type Parent, type VisitRequest } from '../attend.ts'
import { loadSharp } from '../image/sharp.ts'
import { outdatedIn } from './oldest.ts'
import { diskFull, lineReader, replyDescriptor, type ImageVersions, type Reply, type Request } from './protocol.ts'

/** The end of a child's life: at once, without waiting for a decoder that is in the middle of something. */
const end = (): void => {
  process.kill(process.pid, 'SIGKILL')
  // The first process of a sandbox cannot be killed from within it.
  process.abort()
}

const replies = new Socket({ fd: replyDescriptor, readable: false, writable: true })
replies.on('error', end)
const send = (reply: Reply): void => {
  replies.write(`${JSON.stringify(reply)}\n`)
}

/** One at a time; a parent that cannot read what is asked for, or has no such memory, ends this process. */
let answered: ((bytes: Uint8Array) => void) | null = null
const answerTo = (reply: Reply): Promise<Uint8Array> => {
  const bytes = new Promise<Uint8Array>((resolve) => (answered = resolve))
  send(reply)
  return bytes
}

const parentOf = (maxDecodeBytes: number): Parent => ({
  read: (start, end) => answerTo({ kind: 'ask', start, end }),
  need: async (bytes) => {
    const neededBytes = Math.ceil(bytes)
    if (!(neededBytes <= maxDecodeBytes)) throw new RindleError('decode_too_large', { neededBytes, maxDecodeBytes })
    await answerTo({ kind: 'need', bytes: neededBytes })
  },
  gated: () => send({ kind: 'gated' }),
  progress: (fraction) => send({ kind: 'progress', fraction }),
})

const answer = async (visit: VisitRequest, maxDecodeBytes: number): Promise<Reply> => {
  try {
    if (outdated && visit.profileKind === 'media') throw outdated
    const passed = await attend(visit, parentOf(maxDecodeBytes))
    return { kind: 'pass', passed, residentBytes: process.memoryUsage.rss() }
  } catch (err) {
    const residentBytes = process.memoryUsage.rss()
    if (isRindleError(err)) return { kind: 'failure', code: err.code, details: { ...err.details }, residentBytes }
    return { kind: 'fault', problem: problemOf(err), residentBytes }
  }
}

const problemOf = (err: unknown): string => {
  if (!(err instanceof Error)) return 'something that is no error was thrown'
  if (/\b(?:ENOSPC|EDQUOT)\b|no space left on device|disk quota exceeded/i.test(`${'code' in err ? err.code : ''} ${err.message}`))
    return diskFull
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

/** Why pictures are not opened here although sharp is. */
let outdated: RindleError | null = null

/** Loads what the first visit would wait for. Without sharp a child still looks at files that nobody decodes. */
const warmUp = async (): Promise<Reply> => {
  keepFreedMemory()
  let versions: ImageVersions | null = null
  try {
    const sharp = await loadSharp()
    versions = { sharp: sharp.versions.sharp, libvips: sharp.versions.vips }
    outdated = outdatedIn(versions)
    if (outdated) return { kind: 'warm', problem: outdated.message, versions }
    await sharp({ create: { width: 16, height: 16, channels: 4, background: '#fff' } })
      .resize(8, 8)
      .webp({ effort: 0 })
      .toBuffer()
    return { kind: 'warm', problem: null, versions }
  } catch (err) {
    return { kind: 'warm', problem: problemOf(err), versions }
  }
}

process.stdin.setEncoding('utf8')
process.stdin.on('end', end).on('error', end)
const read = lineReader(
  16 * 1024 * 1024,
  (line) => {
    const request: Request = JSON.parse(line)
    if ('visit' in request) void answer(request.visit, request.maxDecodeBytes).then(send, end)
    else answered?.('bytes' in request ? Buffer.from(request.bytes, 'base64') : new Uint8Array())
    return true
  },
  end,
)
process.stdin.on('data', (chunk: string) => read(chunk))
send(await warmUp())
