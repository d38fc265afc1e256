import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

/** What storage is asked for, as far as faults tell it apart. */
export type Operation =
  'put' | 'copy' | 'head' | 'get' | 'delete' | 'list' | 'create' | 'part' | 'list-parts' | 'list-uploads' | 'complete' | 'abort' | 'bucket'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What happens to requests on their way. Whatever is not said here goes as it should. */
export interface Behaviour {
  /** Instead of asking the server; null asks it. */
  readonly instead?: (request: IncomingMessage, operation: Operation) => Answer | null
  /** It reaches the server this late. */
  readonly holdRequestMs?: number
  /** The answer comes this late. */
  readonly holdAnswerMs?: number
  /** Half of the answer's body comes, then the connection ends. */
  readonly cutsBodies?: boolean
  /** Half of it comes, then nothing. */
  readonly stopsBodies?: boolean
  /** The connection is reset instead of an answer. */
  readonly losesAnswers?: boolean
  /** The connection is reset when so much of the body of a PUT has come. */
  readonly resetsAfterBytes?: number
  /** The answer does not say what time it is. */
  readonly hidesDate?: boolean
}

/** Stands between the library and a real server, and lets things happen that happen on networks. */
export interface Proxy {
  readonly endpoint: string
  /** Every signature that came along. */
  readonly signatures: ReadonlySet<string>
  behave(behaviour: Behaviour): void
  /** Resolves when nothing that came is still on its way to the server. */
  quiet(): Promise<void>
  close(): Promise<void>
}

export const openProxy = async (target: string): Promise<Proxy> => {
  let behaviour: Behaviour = {}
  const signatures = new Set<string>()
  const underway = new Set<Promise<void>>()
  const server = createServer((incoming, response) => {
    const { socket } = incoming
    const signature = /Signature=([0-9a-f]+)/.exec(`${incoming.headers.authorization ?? ''} ${incoming.url ?? ''}`)?.[1]
    if (signature !== undefined) signatures.add(signature)
    const passing: Promise<void> = pass({ target, behaviour, incoming, response })
      .catch(() => void socket.destroy())
      .finally(() => underway.delete(passing))
    underway.add(passing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    signatures,
    behave: (next) => void (behaviour = next),
    quiet: async () => void (await Promise.all(underway)),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Passing {
  readonly target: string
  readonly behaviour: Behaviour
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
}

const pass = async ({ target, behaviour, incoming, response }: Passing): Promise<void> => {
  const { socket } = incoming
  const body = await bodyOf(incoming, incoming.method === 'PUT' ? (behaviour.resetsAfterBytes ?? Infinity) : Infinity)
  if (body === null) return void socket.resetAndDestroy()
  const instead = behaviour.instead?.(incoming, operationOf(incoming)) ?? null
  if (!instead) await pause(behaviour.holdRequestMs ?? 0)
  const answer = instead ?? (await forward(target, incoming, body))
  if (behaviour.losesAnswers) return void socket.resetAndDestroy()
  await pause(behaviour.holdAnswerMs ?? 0)
  const { date: _, ...dateless } = answer.headers
  response.sendDate = false
  response.writeHead(answer.status, behaviour.hidesDate ? dateless : answer.headers)
  if (!(behaviour.cutsBodies || behaviour.stopsBodies) || answer.body.length < 2) return void response.end(answer.body)
  response.write(answer.body.subarray(0, answer.body.length >> 1), () => {
    if (behaviour.cutsBodies) socket.destroy()
  })
}

/** Null when it was cut off at `atMost` bytes. */
const bodyOf = async (incoming: IncomingMessage, atMost: number): Promise<Buffer | null> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= atMost) return null
  }
  return Buffer.concat(chunks)
}

/** Every header as it came, so that signatures stay right. */
const forward = async (target: string, { method, url, rawHeaders }: IncomingMessage, body: Buffer): Promise<Answer> => {
  const { hostname, port } = new URL(target)
  const sending = request({ hostname, port, method, path: url, headers: rawHeaders, agent: false })
  sending.end(body)
  const [answer] = (await once(sending, 'response')) as [IncomingMessage]
  const received = await bodyOf(answer, Infinity)
  const { connection: _, 'transfer-encoding': __, 'keep-alive': ___, ...headers } = answer.headers
  const told = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
  if (method !== 'HEAD') told.push(['content-length', String(received?.length ?? 0)])
  return { status: answer.statusCode ?? 0, headers: Object.fromEntries(told), body: received ?? Buffer.alloc(0) }
}

const operationOf = ({ method, url = '', headers }: IncomingMessage): Operation => {
  const { pathname, searchParams } = new URL(url, 'http://storage')
  const inBucket = pathname.split('/').filter(Boolean).length < 2
  const isPart = searchParams.has('uploadId')
  if (inBucket) return method === 'HEAD' ? 'bucket' : searchParams.has('uploads') ? 'list-uploads' : 'list'
  if (method === 'PUT') return isPart ? 'part' : 'x-amz-copy-source' in headers ? 'copy' : 'put'
  if (method === 'POST') return isPart ? 'complete' : 'create'
  if (method === 'DELETE') return isPart ? 'abort' : 'delete'
  if (method === 'HEAD') return 'head'
  return isPart ? 'list-parts' : 'get'
}
