import { isRindleError, RindleError } from '../../../core/errors.ts'
import { isRecord } from '../../../core/shape.ts'

/** What a storage answered, as far as anybody may know it. */
interface Answer {
  readonly code: string
  readonly status: number | null
}

/** The code and status of a failed call; of a failure on the way there, its name and null. */
export const answerOf = (err: unknown): Answer => {
  const { name, $metadata } = isRecord(err) ? err : {}
  const status = isRecord($metadata) ? $metadata['httpStatusCode'] : undefined
  return { code: typeof name === 'string' ? name : 'unknown', status: typeof status === 'number' ? status : null }
}

const missingCodes: ReadonlySet<string> = new Set(['NotFound', 'NoSuchKey', 'NoSuchVersion', 'NoSuchUpload'])

/** True when the object, its version or the upload is not there. A bucket that is not there is another matter. */
export const isMissing = (err: unknown): boolean => missingCodes.has(answerOf(err).code)

/** A condition that does not hold, or that two writers were found to fight about. */
export const isPrecondition = (err: unknown): boolean => {
  const { code, status } = answerOf(err)
  return status === 412 || code === 'PreconditionFailed' || code === 'ConditionalRequestConflict'
}

const credentialsUnknown = 'it does not know these credentials; check `credentials`, and the account and endpoint they are for'
export const credentialsOver =
  'the temporary credentials have run out; give `credentials` as a function that gets fresh ones, and says their `expiration`'
const elsewhere = 'the bucket is kept elsewhere; check `region` and `endpoint`'
const unexplained =
  'it gives no reason, as where it is only asked to look; check `region` and `endpoint`, and that temporary credentials have not run out'
const denied =
  'access was denied; check the credentials, and that their policy allows this call below the prefix (without s3:ListBucket, S3 answers so even where nothing is)'

export const bucketMissing = 'there is no such bucket; check `bucket`, `region` and `endpoint`'

/** Failures that trying again does not cure, and what to look at. */
const refusals: Readonly<Record<string, string>> = {
  NoSuchBucket: bucketMissing,
  InvalidBucketName: 'that is no name of a bucket there; check `bucket`',
  InvalidAccessKeyId: credentialsUnknown,
  InvalidToken: credentialsUnknown,
  InvalidSecurity: credentialsUnknown,
  ExpiredToken: credentialsOver,
  ExpiredTokenException: credentialsOver,
  CredentialsProviderError: 'no credentials were found; pass `credentials`, or set them up as the AWS SDK looks for them',
  SignatureDoesNotMatch: 'the signature was wrong; check the secret key, and that nothing on the way changes requests',
  RequestTimeTooSkewed: "this machine's clock and the storage's are too far apart; set the clock",
  AccessDenied: denied,
  AllAccessDisabled: denied,
  AccountProblem: 'there is a problem with the account; ask the provider',
  PermanentRedirect: elsewhere,
  TemporaryRedirect: elsewhere,
  IncorrectEndpoint: elsewhere,
  AuthorizationHeaderMalformed: elsewhere,
  IllegalLocationConstraintException: elsewhere,
  InvalidObjectState: 'the object was moved to an archive; restore it, and keep lifecycle rules away from what is served',
  NotImplemented: 'it does not know this call, or one of its conditions',
  MethodNotAllowed: 'it does not allow this call',
}

const endedCodes: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidAccessKeyId', 'InvalidToken'])

/** True when other credentials may be the cure: these are over, or not known any more. A HEAD only says 400 then. */
export const areCredentialsOver = (err: unknown): boolean => {
  const { code, status } = answerOf(err)
  return endedCodes.has(code) || isUnexplained({ code, status })
}

const isUnexplained = ({ code, status }: Answer): boolean => status === 400 && code === 'Unknown'

const reasonOf = ({ code, status }: Answer): string | null => {
  if (Object.hasOwn(refusals, code)) return refusals[code] ?? null
  if (status === 301 || status === 307) return elsewhere
  if (status === 401 || status === 403) return denied
  if (isUnexplained({ code, status })) return unexplained
  return null
}

/**
 * What a failed call throws: the signal's reason when that ended it, `storage_refused` when somebody has to look after something first,
 * else `storage_failed`.
 */
export const failureOf = (
  err: unknown,
  { operation, store, signal }: { readonly operation: string; readonly store: string; readonly signal?: AbortSignal | undefined },
): unknown => {
  if (signal?.aborted) return signal.reason
  if (isRindleError(err)) return err
  const reason = reasonOf(answerOf(err))
  const cause = withoutDetails(err)
  return reason === null
    ? new RindleError('storage_failed', { operation, store }, { cause })
    : new RindleError('storage_refused', { operation, store, reason }, { cause })
}

const told: ReadonlySet<string> = new Set(['name', 'message', 'stack', 'code', 'errno', 'syscall', '$fault', '$metadata', 'cause'])

/**
 * The error without what servers add to it (the request as they read it, access keys, names of objects), and without the request and the
 * answer that the SDK hides in it.
 */
const withoutDetails = (err: unknown): unknown => {
  if (!(err instanceof Error)) return err
  for (const name of Object.getOwnPropertyNames(err))
    if (!told.has(name) && !Reflect.deleteProperty(err, name)) emptied(Reflect.get(err, name))
  withoutQuotation(err)
  withoutDetails(err.cause)
  return err
}

/** For what cannot be taken off. */
const emptied = (value: unknown): void => {
  if (isRecord(value)) for (const name of Object.getOwnPropertyNames(value)) Reflect.deleteProperty(value, name)
}

const signed = /AWS4-HMAC-SHA256|X-Amz-(Credential|Signature|Security-Token)|Credential=|Signature=/i
const quotation = 'what it says quotes the request, and is left out here'

/** Some servers repeat in their message what they were sent. */
const withoutQuotation = (err: Error): void => {
  if (!signed.test(err.message)) return
  const places = (err.stack ?? '').split('\n').filter((line) => /^ +at /.test(line))
  err.message = quotation
  err.stack = [`${err.name}: ${quotation}`, ...places].join('\n')
}
