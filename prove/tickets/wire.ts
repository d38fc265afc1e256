import { once } from 'node:events'
import { connect } from 'node:net'

/** A request byte for byte: nothing is added, corrected or left out on the way. */
export interface WireRequest {
  readonly method: string
  readonly url: string
  /** `host` and `connection` are sent unless they are here. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** After so many bytes of the body the connection ends. */
  readonly cutAfter?: number
}

export interface WireAnswer {
  /** Null when the connection ended without an answer. */
  readonly status: number | null
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const patienceMs = 20_000

/** Sends it on a connection of its own. */
export const sendOnWire = async ({ method, url, headers, body, cutAfter }: WireRequest): Promise<WireAnswer> => {
  const { host, hostname, port, origin } = new URL(url)
  const all = { host, connection: 'close', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = connect({ host: hostname, port: Number(port), timeout: patienceMs })
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.on('timeout', () => socket.destroy())
  // Who is refused may find the connection closed while it still sends.
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  socket.write(`${method} ${url.slice(origin.length)} HTTP/1.1\r\n${lines.join('')}\r\n`)
  socket.write(cutAfter === undefined ? body : body.subarray(0, cutAfter))
  if (cutAfter !== undefined) socket.end()
  await closed
  return answerIn(Buffer.concat(heard))
}

const answerIn = (bytes: Buffer): WireAnswer => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return { status: null, headers: {}, body: bytes }
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  if (first.startsWith('HTTP/1.1 100')) return answerIn(bytes.subarray(end + 4))
  return { status: Number(first.split(' ')[1]), headers: Object.fromEntries(headers), body: bytes.subarray(end + 4) }
}
