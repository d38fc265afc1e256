import { connect, type Socket } from 'node:net'
import { addAbortSignal, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { RindleError } from '../../../core/errors.ts'
import type { ClamavSettings } from './options.ts'

/** Longer than anything that clamd says here. */
const mostCharacters = 1024
const objectionMs = 2000

/** What one connection came to. */
export interface Heard {
  /** All that clamd said, ended by NUL where it came through. */
  readonly words: string
  /** True when everything was sent and the connection ended as it should. */
  readonly isWhole: boolean
  /** How much of the file was sent. */
  readonly sentBytes: number
}

type Address = ClamavSettings['address']
type Listening = Promise<{ readonly words: string; readonly failure: Error | null; readonly isConnected: boolean }>
type Sending = (socket: Socket, enough: AbortSignal) => Promise<number>

/** Gives a command without a file, such as PING. @throws as `sendFile` does */
export const sendCommand = (address: Address, command: string, signal: AbortSignal): Promise<Heard> =>
  converse(address, signal, async (socket) => {
    socket.write(`z${command}\0`)
    return 0
  })

/**
 * Sends a file by INSTREAM and hears the answer out. It is read no faster than clamd takes it, and no further once clamd has begun to answer.
 *
 * @throws RindleError `scanner_unavailable` where no word came; the reason of the signal
 */
export const sendFile = (address: Address, file: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<Heard> =>
  converse(address, signal, async (socket, enough) => {
    let sentBytes = 0
    const frames = async function* (chunks: AsyncIterable<Uint8Array>) {
      yield Buffer.from('zINSTREAM\0')
      for await (const chunk of chunks) {
        // A length of zero would be the end.
        if (chunk.byteLength > 0) yield Buffer.concat([lengthOf(chunk.byteLength), chunk])
        sentBytes += chunk.byteLength
      }
      yield lengthOf(0)
    }
    await pipeline(Readable.fromWeb(file as NodeStream<Uint8Array>), frames, socket, { end: false, signal: enough })
    return sentBytes
  })

/**
 * Announces a file of so many bytes and sends none of it: clamd objects at once to what is too large, and else waits for the rest. Null when it
 * did not object.
 */
export const announceFile = async (address: Address, byteSize: number, signal: AbortSignal): Promise<Heard | null> => {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(objectionMs)])
  const heard = await converse(address, patience, async (socket) => {
    socket.write(Buffer.concat([Buffer.from('zINSTREAM\0'), lengthOf(byteSize)]))
    return 0
  }).catch(() => null)
  signal.throwIfAborted()
  return heard
}

const lengthOf = (bytes: number): Buffer => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes)
  return length
}

const converse = async (address: Address, signal: AbortSignal, send: Sending): Promise<Heard> => {
  const socket = addAbortSignal(signal, connect({ ...address, allowHalfOpen: true, noDelay: true }))
  const enough = new AbortController()
  const listening = listen(socket, () => enough.abort())
  const sending = send(socket, enough.signal).catch((err: Error) => {
    if (!enough.signal.aborted) socket.destroy(err)
    return null
  })

  const { words, failure, isConnected } = await listening
  enough.abort()
  socket.destroy()
  const sentBytes = await sending
  if (signal.aborted) throw signal.reason
  if (failure !== null && words === '') throw unavailable(failure, isConnected)
  return { words, isWhole: sentBytes !== null && failure === null, sentBytes: sentBytes ?? 0 }
}

const listen = (socket: Socket, begins: () => void): Listening =>
  new Promise((resolve) => {
    let [words, isConnected] = ['', false]
    const finish = (failure: Error | null): void => resolve({ words, failure, isConnected })
    socket
      .once('connect', () => (isConnected = true))
      .on('data', (chunk) => {
        words += chunk.toString('latin1')
        begins()
        if (words.length > mostCharacters) socket.destroy()
      })
      .once('end', () => finish(null))
      .on('error', finish)
      .once('close', () => finish(null))
  })

const unavailable = (failure: Error, isConnected: boolean): RindleError => {
  const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : failure.name
  const problem = isConnected ? `the connection broke off, ${code}` : `it cannot be reached, ${code}`
  return new RindleError('scanner_unavailable', { scanner: 'clamav', problem }, { cause: failure })
}
