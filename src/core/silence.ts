import { isRecord } from './shape.ts'

/**
 * Why a database or a store did not answer, from the error or what lies behind it, in words that hold no address; null when nothing is known
 * of it.
 */
export const silenceOf = (err: unknown, depth = 0): string | null => {
  if (!isRecord(err) || depth > 5) return null
  const { code, message, cause, errors } = err
  const known = silences.find(([pattern]) => [code, message].some((said) => typeof said === 'string' && pattern.test(said)))
  return known?.[1] ?? silenceOf(cause, depth + 1) ?? silenceOf(Array.isArray(errors) ? errors[0] : null, depth + 1)
}

const silences: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'nothing listens at the host and port of its address'],
  [/^ENOTFOUND$/, 'no host is known by the name in its address'],
  [/^EAI_AGAIN$/, 'the name of its host could not be looked up'],
  [
    /^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|P1001)$|timeout exceeded when trying to connect|due to connection timeout/,
    'its host cannot be reached, or does not answer',
  ],
  [/^(ECONNRESET|EPIPE|P1017|57P01|57P02)$|connection (terminated|ended)|closed the connection/i, 'the connection was lost'],
  [/^57P03$/, 'it is starting up, or shutting down'],
  [/^53300$|remaining connection slots/, 'it has no connection left'],
  [/^(53100|58030)$/, 'its disk is full, or cannot be written to'],
  [/^53...$/, 'it has run out of something that it needs'],
]
