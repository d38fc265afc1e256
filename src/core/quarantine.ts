import type { ErrorCode } from './errors.ts'

/** What an operator has let through, with who and why: as a row keeps it. */
export interface Pardon {
  /** Of the verdict. */
  readonly code: string
  /** Of a scanner's verdict: whose it was and what it found. */
  readonly scanner?: string
  readonly threat?: string
  readonly actor: string
  readonly reason: string
  /** ISO time. */
  readonly at: string
  /** Those before it, the last one first; they hold as well. */
  readonly earlier?: readonly Pardon[]
}

/**
 * Verdicts that nobody can pardon: the bytes are broken, or opening them is what is unsafe. Looked at again they would be refused again, or
 * end another decoder. Everything else is about what a profile or a scanner wants, and that an operator may know better.
 */
const unreleasable: ReadonlySet<string> = new Set<ErrorCode>([
  'file_empty',
  'type_unknown',
  'decode_failed',
  'decode_too_large',
  'decoder_killed',
  'external_reference',
])

export const isReleasable = (code: string): boolean => !unreleasable.has(code)

/** Whether a pardon of an earlier verdict is one of this: the same scanner's same threat, or the same fact about the same bytes. */
export const isPardoned = (pardon: Pardon | null, verdict: { readonly code: string; readonly details: object }): boolean =>
  pardonsIn(pardon).some(
    ({ code, scanner, threat }) =>
      code === verdict.code && lasting.has(code) && sameFinding({ scanner, threat }, findingIn(verdict.details)),
  )

/** Verdicts that a pardon sets aside when they come again. All others are spoken anew, by today's profile. */
const lasting: ReadonlySet<string> = new Set<ErrorCode>(['upload_checksum_mismatch', 'malware_found', 'scan_limit_exceeded'])

const earlierLimit = 19

/** The pardon that a row keeps from now on: those before it hold on, since another scanner's finding must not revive the first one's. */
export const pardonAfter = (
  earlier: Pardon | null,
  verdict: { readonly code: string; readonly details: object },
  said: PardonWords,
): Pardon => {
  const known = pardonsIn(earlier).slice(0, earlierLimit)
  return { code: verdict.code, ...findingIn(verdict.details), ...said, ...(known.length > 0 ? { earlier: known } : {}) }
}

type PardonWords = Pick<Pardon, 'actor' | 'reason' | 'at'>

const pardonsIn = (pardon: Pardon | null): Omit<Pardon, 'earlier'>[] => {
  if (!pardon) return []
  const { earlier = [], ...last } = pardon
  return [last, ...earlier]
}

interface Finding {
  readonly scanner?: string | undefined
  readonly threat?: string | undefined
}

const findingIn = (details: object): { scanner?: string; threat?: string } => {
  const { scanner, threat }: { scanner?: unknown; threat?: unknown } = details
  return { ...(typeof scanner === 'string' ? { scanner } : {}), ...(typeof threat === 'string' ? { threat } : {}) }
}

const sameFinding = (one: Finding, other: Finding): boolean => one.scanner === other.scanner && one.threat === other.threat
