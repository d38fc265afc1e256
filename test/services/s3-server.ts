import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

/** What the server knows of a request, and lets tests ask for. */
export type S3Request = {
  readonly operation: S3Operation
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

export type S3Operation =
  | 'head-bucket'
  | 'put'
  | 'copy'
  | 'head'
  | 'get'
  | 'delete'
  | 'list'
  | 'list-versions'
  | 'create-upload'
  | 'put-part'
  | 'copy-part'
  | 'list-parts'
  | 'list-uploads'
  | 'complete'
  | 'abort'

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
  /** The whole, whatever range was asked for. */
  | 'no range'

/** `bytes` is null for what is only said to be there: nobody keeps gibibytes for a test. */
export type StoredObject = {
  readonly versionId: string
  readonly marker: boolean
  readonly bytes: Buffer | null
  readonly sizeBytes: number
  readonly etag: string
  readonly contentType: string
}

type Part = Pick<StoredObject, 'bytes' | 'sizeBytes' | 'etag'>
type Upload = { readonly key: string; readonly contentType: string; readonly parts: Map<number, Part> }

export type S3Server = {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string }
  /** Every request, in the order they came. */
  readonly requests: S3Request[]
  /** Newest first. */
  readonly objects: Map<string, StoredObject[]>
  readonly uploads: Map<string, Upload>
  /** What may be changed at any time. */
  readonly settings: { versioned: boolean; heedsConditions: boolean; pageSize: number }
  /** Called with each request before anything is done. */
  onRequest: (request: S3Request) => void | Promise<void>
  /** The next `times` requests of that operation meet this. */
  fail(operation: S3Operation, fault: S3Fault, times?: number): void
  /** Puts something there, of which only the size is known, past everything. */
  pretend(key: string, sizeBytes: number, etag: string, contentType?: string): void
  close(): Promise<void>
}

class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

/**
 * A server on loopback that answers S3's requests as AWS documents them, and refuses what AWS refuses: signatures, lengths, sizes of
 * parts, conditions. It is there for what the gateway of the tests cannot do, and for faults at the moment that a test wants.
 */
export async function startS3Server(options: { readonly sessionToken?: string } = {}): Promise<S3Server> {
  const state = new State(options.sessionToken)
  const server = createServer((request, response) => void state.answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(state, { endpoint: `http://127.0.0.1:${port}`, close: () => closed(server) })
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

class State {
  readonly bucket = 'bucket'
  readonly region = 'eu-central-1'
  readonly credentials: S3Server['credentials']
  readonly requests: S3Request[] = []
  readonly objects = new Map<string, StoredObject[]>()
  readonly uploads = new Map<string, Upload>()
  readonly settings = { versioned: false, heedsConditions: true, pageSize: 1000 }
  onRequest: S3Server['onRequest'] = () => undefined
  private readonly faults: { readonly operation: S3Operation; readonly fault: S3Fault }[] = []
  private counter = 0

  constructor(sessionToken: string | undefined) {
    const keys = { accessKeyId: 'AKIATESTSERVER', secretAccessKey: 'the/secret+of=the test server' }
    this.credentials = sessionToken === undefined ? keys : { ...keys, sessionToken }
  }

  fail(operation: S3Operation, fault: S3Fault, times = 1): void {
    for (let time = 0; time < times; time++) this.faults.push({ operation, fault })
  }

  pretend(key: string, sizeBytes: number, etag: string, contentType = 'video/mp4'): void {
    this.objects.set(key, [{ versionId: 'null', marker: false, bytes: null, sizeBytes, etag, contentType }])
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
      if (fault === 'stall' && (asked.operation === 'put' || asked.operation === 'put-part')) return
      if (fault !== null && typeof fault === 'object') {
        await bodyOf(request)
        return refuse(request, response, fault)
      }
      const body = await bodyOf(request)
      checkSignature(request, path, search, body, this.credentials, this.region)
      if (bucket !== this.bucket) throw new Refusal(404, 'NoSuchBucket')
      if (fault === 'error in 200') return send(response, 200, {}, errorXml('InternalError'))
      const { status = 200, headers = {}, content = Buffer.alloc(0) } = this.act(asked, body, fault)
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

  private act(asked: S3Request, body: Buffer, fault: S3Fault | null): Answer {
    switch (asked.operation) {
      case 'head-bucket':
        return {}
      case 'put':
        return this.put(asked, body)
      case 'copy':
        return this.copy(asked)
      case 'head':
      case 'get':
        return this.get(asked, fault)
      case 'delete':
        return this.remove(asked)
      case 'list':
        return this.list(asked)
      case 'list-versions':
        return this.listVersions(asked)
      case 'create-upload': {
        const uploadId = `upload ${++this.counter}/+`
        this.uploads.set(uploadId, { key: asked.key, contentType: asked.headers['content-type'] ?? octets, parts: new Map() })
        return xml(`<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`)
      }
      case 'put-part':
        return this.putPart(asked, body)
      case 'copy-part':
        return this.copyPart(asked)
      case 'list-parts':
        return this.listParts(asked)
      case 'list-uploads':
        return this.listUploads(asked)
      case 'complete':
        return this.complete(asked, body)
      case 'abort':
        if (!this.uploads.delete(this.uploadIdOf(asked))) throw new Refusal(404, 'NoSuchUpload')
        return { status: 204 }
    }
  }

  private current(key: string): StoredObject | null {
    const [newest] = this.objects.get(key) ?? []
    return newest && !newest.marker ? newest : null
  }

  private store(key: string, made: Omit<StoredObject, 'versionId' | 'marker'>): Record<string, string> {
    const versionId = this.settings.versioned ? `v${++this.counter}` : 'null'
    const older = this.settings.versioned ? (this.objects.get(key) ?? []) : []
    this.objects.set(key, [{ ...made, versionId, marker: false }, ...older])
    return { etag: `"${made.etag}"`, ...(this.settings.versioned ? { 'x-amz-version-id': versionId } : {}) }
  }

  private checkCreateOnly({ key, headers }: S3Request): void {
    if (this.settings.heedsConditions && headers['if-none-match'] === '*' && this.current(key)) throw new Refusal(412, 'PreconditionFailed')
  }

  private put(asked: S3Request, body: Buffer): Answer {
    this.checkCreateOnly(asked)
    const contentType = asked.headers['content-type'] ?? octets
    return { headers: this.store(asked.key, { bytes: body, sizeBytes: body.length, etag: md5(body), contentType }) }
  }

  private sourceOf({ headers }: S3Request): StoredObject {
    const [, bucket, encoded = '', versionId] =
      /^\/?([^/]+)\/([^?]+)(?:\?versionId=(.+))?$/.exec(String(headers['x-amz-copy-source'])) ?? []
    if (bucket !== this.bucket) throw new Refusal(404, 'NoSuchBucket')
    const versions = this.objects.get(decodeURIComponent(encoded)) ?? []
    const source = versionId === undefined ? versions[0] : versions.find((one) => one.versionId === decodeURIComponent(versionId))
    if (!source || source.marker) throw new Refusal(404, versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion')
    const wanted = headers['x-amz-copy-source-if-match']
    if (this.settings.heedsConditions && wanted !== undefined && wanted !== `"${source.etag}"`) throw new Refusal(412, 'PreconditionFailed')
    return source
  }

  private copy(asked: S3Request): Answer {
    const source = this.sourceOf(asked)
    if (source.sizeBytes > 5 * gibibyte) throw new Refusal(400, 'InvalidRequest')
    this.checkCreateOnly(asked)
    const headers = this.store(asked.key, source)
    return { ...xml(`<CopyObjectResult><ETag>${headers['etag']}</ETag></CopyObjectResult>`), headers: withoutEtag(headers) }
  }

  private get({ key, query, headers }: S3Request, fault: S3Fault | null): Answer {
    const wanted = query.get('versionId')
    const found = wanted === null ? this.current(key) : this.objects.get(key)?.find(({ versionId }) => versionId === wanted)
    if (!found) throw new Refusal(404, wanted === null ? 'NoSuchKey' : 'NoSuchVersion')
    if (found.marker) throw new Refusal(405, 'MethodNotAllowed')
    const told = {
      'content-type': found.contentType,
      etag: `"${found.etag}"`,
      'content-length': String(found.sizeBytes),
      ...(found.versionId === 'null' ? {} : { 'x-amz-version-id': found.versionId }),
    }
    const content = found.bytes ?? Buffer.alloc(0)
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '')
    if (!range || fault === 'no range') return { headers: told, content }
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), found.sizeBytes - 1)]
    if (first >= found.sizeBytes) throw new Refusal(416, 'InvalidRange')
    const slice = content.subarray(first, last + 1)
    const partial = { ...told, 'content-length': String(slice.length), 'content-range': `bytes ${first}-${last}/${found.sizeBytes}` }
    return { status: 206, headers: partial, content: slice }
  }

  private remove({ key, query }: S3Request): Answer {
    const wanted = query.get('versionId')
    const versions = this.objects.get(key) ?? []
    if (wanted !== null) {
      const left = versions.filter(({ versionId }) => versionId !== wanted)
      if (left.length > 0) this.objects.set(key, left)
      else this.objects.delete(key)
      return { status: 204, headers: { 'x-amz-version-id': wanted } }
    }
    if (!this.settings.versioned) {
      this.objects.delete(key)
      return { status: 204 }
    }
    const versionId = `v${++this.counter}`
    const nothing = { bytes: null, sizeBytes: 0, etag: '', contentType: '' }
    this.objects.set(key, [{ ...nothing, versionId, marker: true }, ...versions])
    return { status: 204, headers: { 'x-amz-version-id': versionId, 'x-amz-delete-marker': 'true' } }
  }

  private keysBelow(prefix: string): string[] {
    return [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  }

  private list({ query }: S3Request): Answer {
    const after = query.get('continuation-token') ?? ''
    const keys = this.keysBelow(query.get('prefix') ?? '').filter((key) => this.current(key) && key > after)
    const page = keys.slice(0, this.settings.pageSize)
    const more = keys.length > page.length
    const name = nameWriter(query)
    const contents = page.map((key) => {
      const size = this.current(key)!.sizeBytes
      return `<Contents><Key>${name(key)}</Key><Size>${size}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`
    })
    const next = more ? `<NextContinuationToken>${escapeXml(page.at(-1)!)}</NextContinuationToken>` : ''
    return xml(`<ListBucketResult><IsTruncated>${more}</IsTruncated>${encodingOf(query)}${next}${contents.join('')}</ListBucketResult>`)
  }

  private listVersions({ query }: S3Request): Answer {
    const name = nameWriter(query)
    const all = this.keysBelow(query.get('prefix') ?? '').flatMap((key) => this.objects.get(key)!.map((version) => ({ key, version })))
    const [keyMarker, versionMarker] = [query.get('key-marker'), query.get('version-id-marker')]
    const isAfter = ({ key, version }: (typeof all)[number]): boolean =>
      keyMarker === null ||
      key > keyMarker ||
      (key === keyMarker && versionMarker !== null && Number(version.versionId.slice(1)) < Number(versionMarker.slice(1)))
    const rest = all.filter(isAfter)
    const page = rest.slice(0, this.settings.pageSize)
    const entries = page.map(({ key, version: { versionId, marker } }) => {
      const tag = marker ? 'DeleteMarker' : 'Version'
      return `<${tag}><Key>${name(key)}</Key><VersionId>${versionId}</VersionId></${tag}>`
    })
    const more = rest.length > page.length
    const last = page.at(-1)
    const next = more
      ? `<NextKeyMarker>${name(last!.key)}</NextKeyMarker><NextVersionIdMarker>${last!.version.versionId}</NextVersionIdMarker>`
      : ''
    return xml(`<ListVersionsResult><IsTruncated>${more}</IsTruncated>${encodingOf(query)}${next}${entries.join('')}</ListVersionsResult>`)
  }

  private uploadIdOf({ query, key }: S3Request): string {
    const uploadId = query.get('uploadId') ?? ''
    if (this.uploads.get(uploadId)?.key !== key) throw new Refusal(404, 'NoSuchUpload')
    return uploadId
  }

  private uploadOf(asked: S3Request): Upload {
    return this.uploads.get(this.uploadIdOf(asked))!
  }

  private addPart(asked: S3Request, part: Part): void {
    const number = Number(asked.query.get('partNumber'))
    if (!Number.isInteger(number) || number < 1 || number > 10_000) throw new Refusal(400, 'InvalidArgument')
    if (part.sizeBytes > 5 * gibibyte) throw new Refusal(400, 'EntityTooLarge')
    this.uploadOf(asked).parts.set(number, part)
  }

  private putPart(asked: S3Request, body: Buffer): Answer {
    this.addPart(asked, { bytes: body, sizeBytes: body.length, etag: md5(body) })
    return { headers: { etag: `"${md5(body)}"` } }
  }

  private copyPart(asked: S3Request): Answer {
    this.uploadOf(asked)
    const source = this.sourceOf(asked)
    const range = /^bytes=(\d+)-(\d+)$/.exec(String(asked.headers['x-amz-copy-source-range']))
    const [first, last] = range ? [Number(range[1]), Number(range[2])] : [0, source.sizeBytes - 1]
    if (last >= source.sizeBytes) throw new Refusal(400, 'InvalidArgument')
    const etag = md5(Buffer.from(`${source.etag}/${first}-${last}`))
    this.addPart(asked, { bytes: source.bytes?.subarray(first, last + 1) ?? null, sizeBytes: last + 1 - first, etag })
    return xml(`<CopyPartResult><ETag>"${etag}"</ETag></CopyPartResult>`)
  }

  private listParts(asked: S3Request): Answer {
    const after = Number(asked.query.get('part-number-marker') ?? 0)
    const parts = [...this.uploadOf(asked).parts].filter(([number]) => number > after).sort(([one], [other]) => one - other)
    const page = parts.slice(0, this.settings.pageSize)
    const more = parts.length > page.length
    const listed = page.map(
      ([number, { sizeBytes, etag }]) => `<Part><PartNumber>${number}</PartNumber><Size>${sizeBytes}</Size><ETag>"${etag}"</ETag></Part>`,
    )
    const next = more ? `<NextPartNumberMarker>${page.at(-1)![0]}</NextPartNumberMarker>` : ''
    return xml(`<ListPartsResult><IsTruncated>${more}</IsTruncated>${next}${listed.join('')}</ListPartsResult>`)
  }

  private listUploads({ query }: S3Request): Answer {
    const marker = query.get('upload-id-marker')
    const uploads = [...this.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
    const rest = marker === null ? uploads : uploads.slice(uploads.findIndex(([id]) => id === marker) + 1)
    const page = rest.slice(0, this.settings.pageSize)
    const more = rest.length > page.length
    const listed = page.map(
      ([id, { key }]) =>
        `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>`,
    )
    const [lastId, last] = page.at(-1) ?? []
    const next = more ? `<NextKeyMarker>${escapeXml(last!.key)}</NextKeyMarker><NextUploadIdMarker>${lastId}</NextUploadIdMarker>` : ''
    return xml(`<ListMultipartUploadsResult><IsTruncated>${more}</IsTruncated>${next}${listed.join('')}</ListMultipartUploadsResult>`)
  }

  private complete(asked: S3Request, body: Buffer): Answer {
    const uploadId = this.uploadIdOf(asked)
    const upload = this.uploadOf(asked)
    const wanted = [...body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: unescapeXml(/<ETag>(.*?)<\/ETag>/.exec(part)?.[1] ?? '').replaceAll('"', ''),
    }))
    if (wanted.length === 0) throw new Refusal(400, 'MalformedXML')
    const parts = wanted.map(({ number, etag }, index) => {
      const part = upload.parts.get(number)
      if (!part || part.etag !== etag) throw new Refusal(400, 'InvalidPart')
      if (index > 0 && number <= wanted[index - 1]!.number) throw new Refusal(400, 'InvalidPartOrder')
      if (index < wanted.length - 1 && part.sizeBytes < 5 * mebibyte) throw new Refusal(400, 'EntityTooSmall')
      return part
    })
    this.checkCreateOnly(asked)
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
    const bytes = parts.every((part) => part.bytes) ? Buffer.concat(parts.map((part) => part.bytes!)) : null
    const etag = `${md5(Buffer.from(parts.map((part) => part.etag).join('')))}-${parts.length}`
    const headers = this.store(asked.key, { bytes, sizeBytes, etag, contentType: upload.contentType })
    this.uploads.delete(uploadId)
    const result = `<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>`
    return { ...xml(result), headers: withoutEtag(headers) }
  }
}

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly content?: Buffer }

const octets = 'binary/octet-stream'
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')
const xml = (content: string): Answer => ({ content: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${content}`) })
const errorXml = (code: string): Buffer => xml(`<Error><Code>${code}</Code><Message>${code} it is</Message></Error>`).content!
const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const unescapeXml = (text: string): string => text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&')
const withoutEtag = ({ etag: _, ...headers }: Record<string, string>): Record<string, string> => headers
const encodingOf = (query: URLSearchParams): string => (query.get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '')
/** As AWS writes them: a space becomes a plus. */
const nameWriter =
  (query: URLSearchParams) =>
  (name: string): string =>
    query.get('encoding-type') === 'url' ? encodeURIComponent(name).replaceAll('%20', '+') : escapeXml(name)

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
