import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errorXml, Refusal, type S3Operation, type S3Request, S3Shelf } from './s3-shelf.ts'

/** What to do instead of, or after, what was asked. */
export type S3Fault =
  /** An answer of that status, with that code, instead. */
  | { readonly status: number; readonly code: string; readonly headers?: Readonly<Record<string, string>> }
  /** 200, and an error in the body, instead. */
  | 'error in 200'
  /** It is done, and the connection ends before the answer. */
  | 'lost answer'
  /** Half of a body, then the connection ends. */
  | 'cut body'
  /** Half of a body, then nothing; or, of what is sent, nothing is read. */
  | 'stall'
  /** No answer, on a connection that stays open. */
  | 'silence'
  /** The whole, whatever range was asked for. */
  | 'no range'

/** What it holds, and how it behaves, may be changed at any time. */
export type S3Server = Pick<S3Shelf, 'objects' | 'uploads' | 'settings' | 'pretend'> & {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  /** Those it takes. Others end what was signed with these. */
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  /** Every request, in the order they came. */
  readonly requests: S3Request[]
  /** Called with each request before anything is done. */
  onRequest: (request: S3Request) => void | Promise<void>
  /** The next `times` requests of that operation meet this. */
  fail(operation: S3Operation, fault: S3Fault, times?: number): void
  close(): Promise<void>
}

/**
 * A server on loopback that answers S3's requests as AWS documents them, and refuses what AWS refuses: signatures, lengths, sizes of
 * parts, conditions. It is there for what the gateway of the tests cannot do, and for faults at the moment that a test wants.
 */
export async function startS3Server(options: { readonly sessionToken?: string } = {}): Promise<S3Server> {
  const shelf = new S3Shelf()
  const protocol = new Protocol(shelf, options.sessionToken)
  const server = createServer((request, response) => void protocol.answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { objects, uploads, settings } = shelf
  const held = { objects, uploads, settings, pretend: shelf.pretend.bind(shelf) }
  return Object.assign(protocol, held, { endpoint: `http://127.0.0.1:${port}`, close: () => closed(server) })
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** The protocol: whose request it is, what it asks for, and what goes wrong on the way. */
class Protocol {
  readonly bucket: string
  readonly region = 'eu-central-1'
  credentials: S3Server['credentials']
  readonly requests: S3Request[] = []
  onRequest: S3Server['onRequest'] = () => undefined
  private readonly faults: { readonly operation: S3Operation; readonly fault: S3Fault }[] = []
  private readonly shelf: S3Shelf

  constructor(shelf: S3Shelf, sessionToken: string | undefined) {
    this.shelf = shelf
    this.bucket = shelf.bucket
    const keys = { accessKeyId: 'AKIATESTSERVER', secretAccessKey: 'the/secret+of=the test server' }
    this.credentials = sessionToken === undefined ? keys : { ...keys, sessionToken }
  }

  fail(operation: S3Operation, fault: S3Fault, times = 1): void {
    for (let time = 0; time < times; time++) this.faults.push({ operation, fault })
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', search = ''] = (request.url ?? '').split('?')
    const query = new URLSearchParams(search)
    const [bucket, ...rest] = path.slice(1).split('/')
    const key = decodeURIComponent(rest.join('/'))
    try {
      const asked = { operation: operationOf(request, key, query), key, query, headers: request.headers }
      this.requests.push(asked)
      await this.onRequest(asked)
      const fault = this.takeFault(asked.operation)
      if (fault === 'silence') return
      if (fault === 'stall' && (asked.operation === 'put' || asked.operation === 'put-part')) return
      if (fault !== null && typeof fault === 'object') {
        await bodyOf(request)
        return refuse(request, response, fault)
      }
      const body = await bodyOf(request)
      checkSignature(request, path, search, body, this.credentials, this.region)
      if (bucket !== this.bucket) throw new Refusal(404, 'NoSuchBucket')
      if (fault === 'error in 200') return send(response, 200, {}, errorXml('InternalError'))
      const { status = 200, headers = {}, content = Buffer.alloc(0) } = this.shelf.act(asked, body, { ignoresRange: fault === 'no range' })
      if (fault === 'lost answer') return void request.socket.destroy()
      if (fault === 'cut body' || fault === 'stall') {
        response.writeHead(status, { ...headers, 'content-length': content.length })
        response.write(content.subarray(0, content.length >> 1), () => {
          if (fault === 'cut body') request.socket.destroy()
        })
        return
      }
      if (request.method === 'HEAD') response.writeHead(status, headers).end()
      else send(response, status, headers, content)
    } catch (error) {
      if (error instanceof Refusal) refuse(request, response, error)
      else request.socket.destroy()
    }
  }

  private takeFault(operation: S3Operation): S3Fault | null {
    const index = this.faults.findIndex((one) => one.operation === operation)
    return index < 0 ? null : this.faults.splice(index, 1)[0]!.fault
  }
}

function operationOf({ method, headers }: IncomingMessage, key: string, query: URLSearchParams): S3Operation {
  const isCopy = headers['x-amz-copy-source'] !== undefined
  if (key === '') {
    if (method === 'HEAD') return 'head-bucket'
    if (query.has('versions')) return 'list-versions'
    return query.has('uploads') ? 'list-uploads' : 'list'
  }
  const inUpload = query.has('uploadId')
  if (method === 'PUT') return inUpload ? (isCopy ? 'copy-part' : 'put-part') : isCopy ? 'copy' : 'put'
  if (method === 'POST') return inUpload ? 'complete' : 'create-upload'
  if (method === 'DELETE') return inUpload ? 'abort' : 'delete'
  if (method === 'HEAD') return 'head'
  return inUpload ? 'list-parts' : 'get'
}

/** The body, exactly as long as was said. Chunked bodies are refused, as AWS refuses them. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  if (request.headers['transfer-encoding'] !== undefined) throw new Refusal(411, 'MissingContentLength')
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** By the book: the request as it came must be the one that was signed, with these keys, for this region, within a quarter of an hour. */
function checkSignature(
  { method, headers }: IncomingMessage,
  path: string,
  search: string,
  body: Buffer,
  credentials: S3Server['credentials'],
  region: string,
): void {
  const authorization = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/
  const [, keyId, day = '', scopeRegion = '', signed = '', signature] = authorization.exec(headers['authorization'] ?? '') ?? []
  if (keyId === undefined) throw new Refusal(403, 'AccessDenied')
  if (keyId !== credentials.accessKeyId) throw new Refusal(403, 'InvalidAccessKeyId')
  if (scopeRegion !== region) throw new Refusal(400, 'AuthorizationHeaderMalformed')
  if (headers['x-amz-security-token'] !== credentials.sessionToken) throw new Refusal(403, 'InvalidToken')
  const stamp = String(headers['x-amz-date'])
  const at = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (Math.abs(at - Date.now()) > 900_000) throw new Refusal(403, 'RequestTimeTooSkewed')
  const names = signed.split(';')
  const unsigned = Object.keys(headers).filter((name) => name.startsWith('x-amz-') && !names.includes(name))
  if (unsigned.length > 0 || !names.includes('host')) throw new Refusal(403, 'AccessDenied')
  const payload = String(headers['x-amz-content-sha256'])
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) throw new Refusal(400, 'XAmzContentSHA256Mismatch')
  const query = search
    .split('&')
    .filter((one) => one !== '')
    .map((one) => (one.includes('=') ? one : `${one}=`))
    .sort()
    .join('&')
  const lines = names.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}\n`).join('')
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${signed}\n${payload}`
  const key = hmac(hmac(hmac(hmac(`AWS4${credentials.secretAccessKey}`, day), region), 's3'), 'aws4_request')
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${day}/${region}/s3/aws4_request\n${sha256(canonical)}`
  if (hmac(key, toSign).toString('hex') !== signature) throw new Refusal(403, 'SignatureDoesNotMatch')
}

function send(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, content: Buffer | string): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(content), ...headers }).end(content)
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, headers = {} }: { readonly status: number; readonly code: string; readonly headers?: Readonly<Record<string, string>> },
): void {
  if (request.method === 'HEAD') response.writeHead(status, headers).end()
  else send(response, status, headers, errorXml(code))
}
