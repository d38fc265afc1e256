import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { RindleError } from '../../../core/errors.ts'
import { areCredentialsOver, failureOf } from './failure.ts'
import type { S3Credentials, S3Settings } from './options.ts'

type Sdk = typeof import('@aws-sdk/client-s3')

/** The SDK, and two clients that differ in how often they ask. */
export interface Connected {
  readonly sdk: Sdk
  /** Asks once: for what must not be done twice. */
  readonly once: S3Client
  /** Asks up to three times: for what only looks, and what can be repeated without harm. */
  readonly patient: S3Client
}

export interface Connection {
  readonly settings: S3Settings
  /** Runs one call of the adapter: what comes out of it is this library's error. */
  call<T>(operation: string, signal: AbortSignal | undefined, run: (connected: Connected) => Promise<T>): Promise<T>
  /** What signs now. @throws RindleError `storage_refused` when there are none, or they have run out; `peer_missing` */
  credentials(): Promise<S3Credentials>
}

/** The peer is loaded, and clients are made, when they are first needed. */
export const connectionTo = (settings: S3Settings): Connection => {
  let opening: Promise<Connected> | null = null
  const open = (): Promise<Connected> => {
    opening ??= connect(settings)
    opening.catch(() => (opening = null))
    return opening
  }
  const call: Connection['call'] = async (operation, signal, run) => {
    signal?.throwIfAborted()
    try {
      return await run(await open())
    } catch (err) {
      throw failureOf(err, { operation, store: settings.id, signal })
    }
  }
  const fixed = typeof settings.credentials === 'object' ? settings.credentials : null
  return {
    settings,
    call,
    credentials: async () => fixed ?? call('sign', undefined, async ({ patient }) => patient.config.credentials()),
  }
}

const connect = async (settings: S3Settings): Promise<Connected> => {
  const sdk = await import('@aws-sdk/client-s3').catch((cause: unknown) => {
    throw new RindleError('peer_missing', { packageName: '@aws-sdk/client-s3', neededFor: 's3()' }, { cause })
  })
  const config = configOf(settings)
  const patient = new sdk.S3Client({ ...config, maxAttempts: 3 })
  // One memory of credentials for both.
  const once = new sdk.S3Client({ ...config, maxAttempts: 1, credentials: patient.config.credentials })
  if (typeof settings.credentials === 'function') for (const client of [once, patient]) renewCredentials(client)
  return { sdk, once, patient }
}

/**
 * Fresh credentials when the storage does not take the ones at hand any more, for functions that do not say when theirs end; then it is asked
 * once more. A body is not sent twice: that call fails, and the next one is signed with the fresh ones.
 */
const renewCredentials = ({ config, middlewareStack }: S3Client): void =>
  middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args)
      } catch (err) {
        if (!areCredentialsOver(err)) throw err
        await config.credentials({ forceRefresh: true })
        if ('Body' in args.input) throw err
        return await next(args)
      }
    },
    { step: 'initialize', name: 'renewCredentials' },
  )

const sockets = { keepAlive: true, maxSockets: 256 } as const

const unheard = (): void => undefined
/** Without one the SDK tells the console of every failed upload, which the caller hears of anyhow. */
const silence = { debug: unheard, info: unheard, warn: unheard, error: unheard }

/** Checksums only where an operation cannot do without: others than AWS refuse, or ignore, those that the SDK would add by itself. */
const configOf = ({ region, endpoint, pathStyle, credentials, timeouts }: S3Settings): S3ClientConfig => ({
  region,
  forcePathStyle: pathStyle,
  logger: silence,
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
  requestHandler: { connectionTimeout: timeouts.connectMs, throwOnRequestTimeout: true, httpAgent: sockets, httpsAgent: sockets },
  ...(endpoint === null ? {} : { endpoint: endpoint.href }),
  ...(credentials === undefined ? {} : { credentials }),
})
