import type { Asset } from './asset.ts'
import { RindleError } from './errors.ts'
import { defineMachine, type StateOf } from './machine.ts'
import type { SignedRequest } from './ports/storage.ts'

const open = ['initialized', 'signed', 'resuming', 'uploading', 'uploaded'] as const

export const uploadSessionMachine = defineMachine({
  entity: 'upload_session',
  table: 'media_upload_sessions',
  initial: 'initialized',
  states: {
    initialized: { means: 'A key is reserved; no ticket is out.', owed: { cure: 'expire' } },
    signed: { means: 'The client holds a signed ticket.', owed: { cure: 'expire' } },
    resuming: { means: 'A resumable client is finding its offset.', owed: { cure: 'expire' } },
    uploading: { means: 'Bytes are coming in through us.', owed: { cure: 'expire' } },
    uploaded: { means: 'All bytes are there and nobody has looked at them yet.', owed: { cure: 'expire' } },
    verifying: { means: 'Storage holds what was announced.', passing: true },
    completed: { means: 'The asset owns the object now.', owed: { cure: 'forget' } },
    aborted: { means: 'Someone gave up on purpose. Any bytes are residue.', owed: { cure: 'forget' } },
    expired: { means: 'The deadline passed first. Any bytes are residue.', owed: { cure: 'forget' } },
    failed: { means: 'What was announced can never arrive. Any bytes are residue.', owed: { cure: 'forget' } },
  },
  moves: {
    sign: { from: ['initialized', 'signed'], to: 'signed', when: 'a ticket is signed, or signed again' },
    resume: { from: ['signed', 'uploading'], to: 'resuming', when: 'a resumable client asks where to go on' },
    receive: { from: ['initialized', 'signed', 'resuming'], to: 'uploading', when: 'bytes begin to arrive through us' },
    gather: { from: ['signed', 'resuming', 'uploading'], to: 'uploaded', when: 'all bytes are there' },
    verify: { from: ['signed', 'uploading', 'uploaded'], to: 'verifying', when: 'storage holds the announced object' },
    complete: { from: ['verifying'], to: 'completed', when: 'the asset takes the object over' },
    retry: { from: ['signed', 'uploading', 'uploaded'], to: 'signed', when: 'what landed is wrong and a fresh key is reserved' },
    fail: { from: open, to: 'failed', when: 'the upload can never be right' },
    abort: { from: open, to: 'aborted', when: 'the owner cancels' },
    expire: { from: open, to: 'expired', when: 'its time is up' },
  },
})

export type UploadSessionState = StateOf<typeof uploadSessionMachine>

/** States in which a client may still bring bytes. */
export const openSessionStates: readonly UploadSessionState[] = open

export type UploadStrategy = 'presigned_put' | 'multipart' | 'resumable' | 'proxied'

export interface UploadSession {
  readonly id: string
  readonly assetId: string
  readonly profile: string
  readonly state: UploadSessionState
  readonly uploadStrategy: UploadStrategy
  /** The staging object that the client writes to; null once the session has ended. */
  readonly objectId: string | null
  readonly owner: { readonly type: string; readonly id: string } | null
  readonly declaredBytes: number | null
  readonly declaredType: string
  /** Lower-case hex; null when the client did not announce one. */
  readonly declaredSha256: string | null
  /** What every part but the last measures; null when the file does not come in parts. */
  readonly partBytes: number | null
  readonly idempotencyKey: string | null
  readonly expiresAt: Date
  readonly verifiedAt: Date | null
  readonly insertedAt: Date
}

/** An upload with a ticket that was made for it. */
export interface SignedUpload {
  readonly session: UploadSession
  /** What the client sends its bytes with, to the letter. */
  readonly presigned: SignedRequest
}

/** An upload whose bytes were seen in storage, and the asset that owns them now. */
export interface VerifiedUpload<A extends Asset = Asset> {
  readonly session: UploadSession
  readonly asset: A
}

/** Why nothing can be sent any more: its time is up, or it has ended. Null while it is open. */
export const problemOfSession = (session: UploadSession, now: Date): RindleError | null => {
  const { id: sessionId, state } = session
  const isOpen = openSessionStates.includes(state)
  if (state === 'expired' || (isOpen && session.expiresAt <= now)) return new RindleError('upload_session_expired', { sessionId })
  return isOpen ? null : new RindleError('upload_session_ended', { sessionId, state })
}

const defaultTtlSeconds = 86_400
const maxTtlSeconds = 604_800

/** How long a session stays open, when so many seconds were wished. @throws RindleError `argument_invalid` */
export const sessionTtlSeconds = (wished: number | undefined): number => {
  const ttl = wished ?? defaultTtlSeconds
  if (Number.isSafeInteger(ttl) && ttl >= 60 && ttl <= maxTtlSeconds) return ttl
  throw new RindleError('argument_invalid', {
    argument: 'expiresInSeconds',
    problem: `it must be a whole number from 60 to ${maxTtlSeconds}`,
  })
}
