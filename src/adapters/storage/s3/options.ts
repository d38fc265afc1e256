import { RindleError } from '../../../core/errors.ts'

/** A pair of keys; a third part and an end where they are temporary. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

export interface S3Options {
  readonly bucket: string
  /** The bucket's region; `auto` where the server knows none. */
  readonly region: string
  /** Everything lies below it: two environments in one bucket need different ones. */
  readonly prefix?: string
  /** Where the storage is, when it is not AWS: `https://…` */
  readonly endpoint?: string
  /**
   * What answers there. Say `ceph` for a RADOS gateway: it takes headers that nobody signed, so that whoever holds a ticket could have it copy
   * another object, or open what was sent to everybody; the tickets made for it name those headers, which it then refuses. Default: `aws`
   * without an `endpoint`, `other` with one.
   */
  readonly service?: S3Service
  /** The same storage as browsers reach it, when that is another address: signed for, never called. */
  readonly publicEndpoint?: string
  /** Below it anybody may read what the bucket holds: a CDN, or the public domain of a bucket. Default: the bucket's own address. */
  readonly publicBaseUrl?: string
  /**
   * Default: where the AWS SDK finds them (environment, profile, role). A function is asked again when they
   * run out by their `expiration`, which it must tell where they are temporary, or when the storage does not take them any more.
   */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>)
  /** The bucket in the path instead of the host name. Default: with an `endpoint`. */
  readonly forcePathStyle?: boolean
  /** The server makes sure of the conditions of a copy. Default: without an `endpoint`, since AWS does. */
  readonly conditionalCopy?: boolean
  readonly timeouts?: Partial<S3Timeouts>
}

export type S3Service = 'aws' | 'ceph' | 'other'
const services: readonly S3Service[] = ['aws', 'ceph', 'other']

/** How patient a connection is. How long a whole call may take is the caller's to say, by its signal. */
export interface S3Timeouts {
  /** Default: 5 seconds. */
  readonly connectMs: number
  /**
   * How long what only looks, lists, reads or deletes may wait for its answer to begin before it is asked again, three times in all; pages of a
   * list twice as long. Default: 8 seconds.
   */
  readonly answerMs: number
  /** How long a body may stand still at the storage's end, going up or coming down. Default: a minute. */
  readonly silenceMs: number
}

const defaultTimeouts: S3Timeouts = { connectMs: 5_000, answerMs: 8_000, silenceMs: 60_000 }

/** The options with their defaults. */
export interface S3Settings extends Pick<S3Options, 'credentials'> {
  readonly id: string
  readonly bucket: string
  readonly region: string
  /** Empty, or with a slash at its end. */
  readonly prefix: string
  readonly endpoint: URL | null
  readonly publicEndpoint: URL | null
  readonly publicBaseUrl: URL | null
  readonly service: S3Service
  readonly pathStyle: boolean
  readonly conditionalCopy: boolean
  readonly timeouts: S3Timeouts
}

/** @throws RindleError `argument_invalid`, with every problem there is. */
export const settingsOf = (options: S3Options): S3Settings => {
  const { bucket, region, prefix, endpoint, publicEndpoint, publicBaseUrl } = options
  const problems = [
    ...(bucketName.test(bucket) ? [] : ['bucket must be the name of a bucket: 3 to 63 of a-z 0-9 . -']),
    ...(/^[a-z0-9-]+$/i.test(region) ? [] : ["region must be the bucket's region, as in 'eu-central-1'"]),
    ...(prefix === undefined || isPrefix(prefix)
      ? []
      : ['prefix must be made of A-Z a-z 0-9 . _ -, with single slashes between its parts']),
    ...Object.entries({ endpoint, publicEndpoint, publicBaseUrl }).flatMap(([name, address]) => problemsOfAddress(name, address)),
    ...(options.service === undefined || services.includes(options.service) ? [] : [`service must be one of ${services.join(', ')}`]),
    ...problemsOfTimeouts(options.timeouts ?? {}),
  ]
  if (problems.length > 0) throw new RindleError('argument_invalid', { argument: 's3', problem: problems.join('; ') })
  return {
    id: `s3:${bucket}${prefix === undefined ? '' : `/${prefix}`}`,
    bucket,
    region,
    prefix: prefix === undefined ? '' : `${prefix}/`,
    endpoint: addressOrNull(endpoint),
    publicEndpoint: addressOrNull(publicEndpoint),
    publicBaseUrl: addressOrNull(publicBaseUrl),
    service: options.service ?? (endpoint === undefined ? 'aws' : 'other'),
    pathStyle: options.forcePathStyle ?? (endpoint !== undefined || bucket.includes('.')),
    conditionalCopy: options.conditionalCopy ?? endpoint === undefined,
    timeouts: { ...defaultTimeouts, ...options.timeouts },
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  }
}

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

const isPrefix = (prefix: string): boolean =>
  prefix.length <= 255 && prefix.split('/').every((part) => /^[A-Za-z0-9._-]+$/.test(part) && part !== '.' && part !== '..')

const addressOrNull = (address: string | undefined): URL | null => (address === undefined ? null : new URL(address))

const problemsOfAddress = (name: string, address: string | undefined): string[] => {
  if (address === undefined) return []
  const url = URL.canParse(address) ? new URL(address) : null
  const plain = url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username && !url.password
  return plain ? [] : [`${name} must be an address, https://…, with no user name, query or fragment`]
}

const problemsOfTimeouts = (timeouts: Partial<S3Timeouts>): string[] =>
  Object.entries(timeouts).flatMap(([name, ms]) =>
    Object.hasOwn(defaultTimeouts, name) && Number.isSafeInteger(ms) && ms > 0
      ? []
      : [`timeouts.${name} must be one of ${Object.keys(defaultTimeouts).join(', ')}, in whole milliseconds`],
  )
