import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte

/** What the server knows of a request, and lets tests ask for. */
export type S3Request = {
  readonly operation: S3Operation
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
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
export type Upload = { readonly key: string; readonly contentType: string; readonly parts: Map<number, Part> }

export type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly content?: Buffer }

export class Refusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(code)
    this.status = status
    this.code = code
  }
}

/** What a bucket holds, and what it answers to requests that were found in order: as AWS documents it, refusals included. */
export class S3Shelf {
  readonly bucket = 'bucket'
  /** Newest first. */
  readonly objects = new Map<string, StoredObject[]>()
  readonly uploads = new Map<string, Upload>()
  /** `hidesEncoding`: names of uploads are encoded where that is asked for, their markers never, and nothing is said of it, as by Ceph's gateway. */
  readonly settings = { versioned: false, heedsConditions: true, pageSize: 1000, hidesEncoding: false, hidesTimes: false }
  private counter = 0

  /** Puts something there, of which only the size is known, past everything. */
  pretend(key: string, sizeBytes: number, etag: string, contentType = 'video/mp4'): void {
    this.objects.set(key, [{ versionId: 'null', marker: false, bytes: null, sizeBytes, etag, contentType }])
  }

  /** @throws Refusal */
  act(asked: S3Request, body: Buffer, { ignoresRange }: { readonly ignoresRange: boolean }): Answer {
    switch (asked.operation) {
      case 'head-bucket':
        return {}
      case 'put':
        return this.put(asked, body)
      case 'copy':
        return this.copy(asked)
      case 'head':
      case 'get':
        return this.get(asked, ignoresRange)
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

  private get({ key, query, headers }: S3Request, ignoresRange: boolean): Answer {
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
    if (!range || ignoresRange) return { headers: told, content }
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
    const time = this.settings.hidesTimes ? '' : '<LastModified>2026-01-01T00:00:00.000Z</LastModified>'
    const contents = page.map((key) => {
      const size = this.current(key)!.sizeBytes
      return `<Contents><Key>${name(key)}</Key><Size>${size}</Size>${time}</Contents>`
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
    const [keyMarker, idMarker] = [query.get('key-marker'), query.get('upload-id-marker')]
    const uploads = [...this.uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
    const at = uploads.findIndex(([id, { key }]) => id === idMarker && key === keyMarker)
    if (idMarker !== null && at < 0) throw new Refusal(400, 'InvalidArgument')
    const rest = uploads.slice(at + 1)
    const page = rest.slice(0, this.settings.pageSize)
    const more = rest.length > page.length
    const name = nameWriter(query)
    const time = this.settings.hidesTimes ? '' : '<Initiated>2026-01-01T00:00:00.000Z</Initiated>'
    const listed = page.map(([id, { key }]) => `<Upload><Key>${name(key)}</Key><UploadId>${id}</UploadId>${time}</Upload>`)
    const [lastId, last] = page.at(-1) ?? []
    const { hidesEncoding } = this.settings
    const marker = more ? (hidesEncoding ? escapeXml(last!.key) : name(last!.key)) : ''
    const next = more ? `<NextKeyMarker>${marker}</NextKeyMarker><NextUploadIdMarker>${lastId}</NextUploadIdMarker>` : ''
    const told = `<IsTruncated>${more}</IsTruncated>${hidesEncoding ? '' : encodingOf(query)}${next}`
    return xml(`<ListMultipartUploadsResult>${told}${listed.join('')}</ListMultipartUploadsResult>`)
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

const octets = 'binary/octet-stream'
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const xml = (content: string): Answer => ({ content: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${content}`) })
export const errorXml = (code: string): Buffer => xml(`<Error><Code>${code}</Code><Message>${code} it is</Message></Error>`).content!
const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const unescapeXml = (text: string): string => text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&')
const withoutEtag = ({ etag: _, ...headers }: Record<string, string>): Record<string, string> => headers
const encodingOf = (query: URLSearchParams): string => (query.get('encoding-type') === 'url' ? '<EncodingType>url</EncodingType>' : '')
/** As AWS writes them: a space becomes a plus. */
const nameWriter =
  (query: URLSearchParams) =>
  (name: string): string =>
    query.get('encoding-type') === 'url' ? encodeURIComponent(name).replaceAll('%20', '+') : escapeXml(name)
