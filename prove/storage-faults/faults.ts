import type { IncomingMessage } from 'node:http'
import type { S3Credentials, S3Options } from '../../src/adapters/storage/s3.ts'
import type { TestBucket } from '../../test/services/bucket.ts'
import type { Answer, Behaviour, Operation } from './proxy.ts'

/** What a call may need of storage. `sign` needs credentials, and no network. */
export type Need = Operation | 'sign'

export interface Fault {
  readonly name: string
  /** What goes wrong for whoever needs one of these. */
  readonly hits: (need: Need) => boolean
  /** `storage_refused`: trying again does not help, somebody has to look. */
  readonly code: 'storage_failed' | 'storage_refused'
  /** What the storage was set up with instead. */
  readonly settings?: (right: TestBucket) => Partial<S3Options>
  readonly behaviour?: Behaviour
  /** How long a call may take. Default: so long that no right answer is too late. */
  readonly timeoutMs?: number
  /** How far this machine's clock is from the right time. */
  readonly skewMs?: number
}

/** What nobody must read in a message, a log or a row, whatever goes wrong. Those of the server itself are kept secret as well. */
export const wrong = {
  accessKeyId: 'AKIAWRONGKEYOFTHEPROOF',
  secretAccessKey: 'a-wrong-secret-key-of-the-proof-0123456789',
  sessionToken: 'a-session-token-of-the-proof-that-nobody-gave-out',
} as const

const network = (need: Need): boolean => need !== 'sign'
const among =
  (...needs: readonly Need[]) =>
  (need: Need): boolean =>
    needs.includes(need)

const withKeys =
  (change: Partial<S3Credentials>) =>
  ({ credentials }: TestBucket): Partial<S3Options> => ({ credentials: { ...credentials, ...change } })

const lateMs = 1_500
const tooLateMs = 500

const xmlError = (status: number, code: string, message: string, more = ''): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message>${more}<RequestId>1</RequestId></Error>`,
  ),
})

/** HEAD has no body, whatever happened. */
const told =
  (answer: Answer): NonNullable<Behaviour['instead']> =>
  (_, operation) =>
    operation === 'head' || operation === 'bucket' ? { ...answer, body: Buffer.alloc(0) } : answer

const answered = (answer: Answer): Behaviour => ({ instead: told(answer) })

/** As AWS answers a signature that names another region than the bucket's. */
const insistsOnRegion: Behaviour = {
  instead(request, operation) {
    const region = /Credential=[^/]+\/\d+\/([^/]+)\/s3/.exec(request.headers.authorization ?? '')?.[1]
    if (region === 'us-east-1') return null
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting 'us-east-1'`
    return told(xmlError(400, 'AuthorizationHeaderMalformed', message, '<Region>us-east-1</Region>'))(request, operation)
  },
}

/** Repeats to the caller what the caller sent, as some do that want to be helpful. */
const repeats: Behaviour = {
  instead(request: IncomingMessage, operation) {
    const quoted = `${request.method} ${request.url} ${JSON.stringify(request.headers)}`.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    const more = `<AWSAccessKeyId>${quoted}</AWSAccessKeyId><StringToSign>${quoted}</StringToSign><CanonicalRequest>${quoted}</CanonicalRequest>`
    return told(xmlError(500, 'InternalError', `Cannot read this: ${quoted}`, more))(request, operation)
  },
}

const redirect = xmlError(301, 'PermanentRedirect', 'Use the specified endpoint.', '<Endpoint>bucket.s3.eu-west-1.amazonaws.com</Endpoint>')
const page: Answer = { status: 502, headers: { 'content-type': 'text/html' }, body: Buffer.from('<html><body>Bad & Gateway<br></html>') }

/** Everything that goes wrong, one thing at a time. */
export const faults: readonly Fault[] = [
  { name: 'no such bucket', hits: network, code: 'storage_refused', settings: () => ({ bucket: 'rindle-that-nobody-made' }) },
  {
    name: 'wrong secret key',
    hits: network,
    code: 'storage_refused',
    settings: withKeys({ secretAccessKey: wrong.secretAccessKey }),
  },
  { name: 'unknown key', hits: network, code: 'storage_refused', settings: withKeys(wrong) },
  { name: 'no permission', hits: network, code: 'storage_refused', settings: ({ guest }) => ({ credentials: guest }) },
  {
    name: 'wrong region',
    hits: network,
    code: 'storage_refused',
    settings: () => ({ region: 'eu-west-1' }),
    behaviour: insistsOnRegion,
  },
  { name: 'bucket elsewhere', hits: network, code: 'storage_refused', behaviour: answered(redirect) },
  { name: 'clock an hour fast', hits: network, code: 'storage_refused', skewMs: 3_600_000, behaviour: { hidesDate: true } },
  { name: 'clock an hour slow', hits: network, code: 'storage_refused', skewMs: -3_600_000, behaviour: { hidesDate: true } },
  {
    name: 'credentials that cannot be had',
    hits: () => true,
    code: 'storage_failed',
    settings: () => ({ credentials: () => Promise.reject(new Error('the place that gives out credentials does not answer')) }),
  },
  {
    name: 'credentials that have run out',
    hits: among('sign'),
    code: 'storage_refused',
    settings: withKeys({ expiration: new Date(0) }),
  },
  { name: 'endpoint down', hits: network, code: 'storage_failed', settings: () => ({ endpoint: 'http://127.0.0.1:9' }) },
  { name: 'no such host', hits: network, code: 'storage_failed', settings: () => ({ endpoint: 'http://storage.invalid' }) },
  { name: 'too slow to answer', hits: network, code: 'storage_failed', timeoutMs: tooLateMs, behaviour: { holdAnswerMs: lateMs } },
  { name: 'lands too late', hits: network, code: 'storage_failed', timeoutMs: tooLateMs, behaviour: { holdRequestMs: lateMs } },
  { name: '500', hits: network, code: 'storage_failed', behaviour: answered(xmlError(500, 'InternalError', 'We encountered an error.')) },
  { name: '502 as a page', hits: network, code: 'storage_failed', behaviour: answered(page) },
  { name: '503 slow down', hits: network, code: 'storage_failed', behaviour: answered(xmlError(503, 'SlowDown', 'Reduce your rate.')) },
  {
    name: 'bodies cut in half',
    hits: among('get', 'copy', 'list', 'create', 'list-parts', 'list-uploads', 'complete'),
    code: 'storage_failed',
    behaviour: { cutsBodies: true },
  },
  {
    name: 'bodies that stop',
    hits: among('get', 'copy', 'list', 'create', 'list-parts', 'list-uploads', 'complete'),
    code: 'storage_failed',
    timeoutMs: tooLateMs,
    behaviour: { stopsBodies: true },
  },
  { name: 'answers lost', hits: network, code: 'storage_failed', behaviour: { losesAnswers: true } },
  { name: 'reset in the middle of a body', hits: among('put'), code: 'storage_failed', behaviour: { resetsAfterBytes: 200 } },
  {
    name: 'error in a 200',
    hits: among('copy', 'complete'),
    code: 'storage_failed',
    behaviour: {
      instead: (_, operation) =>
        operation === 'copy' || operation === 'complete' ? xmlError(200, 'InternalError', 'We encountered an error.') : null,
    },
  },
  { name: 'request repeated in the answer', hits: network, code: 'storage_failed', behaviour: repeats },
]
