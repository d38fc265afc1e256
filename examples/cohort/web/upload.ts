import type { CreatedUploadAnswer, PresignedAnswer, SignedUploadAnswer, UploadRequest, VerifiedUploadAnswer } from 'rindle/http'
import { json, PassingRefusal, Refusal, wordsOf } from './api.ts'

export interface Sending {
  /** From which size on a file goes in parts; null where it never does. */
  readonly partsFromBytes: number | null
  readonly onSent: (share: number) => void
  /** Stops whatever is under way. */
  readonly signal: AbortSignal
}

type Cut = NonNullable<CreatedUploadAnswer['multipart']>

/** The least that S3 takes. */
const partBytes = 5 * 2 ** 20
const partsAtOnce = 3
const triesOverNetwork = 4

/**
 * Brings a file into the gate: ticket, bytes straight to storage, verification. Answers with the asset's id. Whatever ends it before
 * that, a cancellation too, gives the upload up.
 */
export async function upload(profile: string, file: File, { partsFromBytes, onSent, signal }: Sending): Promise<string> {
  const inParts = partsFromBytes !== null && file.size >= partsFromBytes
  const wanted: UploadRequest = {
    profile,
    filename: file.name,
    byteSize: file.size,
    ...(file.type ? { contentType: file.type } : {}),
    ...(inParts ? { multipart: true, partBytes } : {}),
  }
  const { session, multipart } = await json<CreatedUploadAnswer>('/media/uploads', 'POST', wanted)
  const address = `/media/uploads/${session.id}`
  try {
    const total = (bytes: number) => onSent(file.size > 0 ? bytes / file.size : 1)
    if (multipart) await sendParts(address, file, multipart, total, signal)
    else await send(`${address}/sign`, file, total, signal)
    const { asset } = await patiently(signal, () =>
      json<VerifiedUploadAnswer>(`${address}/${multipart ? 'complete' : 'verify'}`, 'POST', {}),
    )
    signal.throwIfAborted()
    return asset.id
  } catch (err) {
    json(address, 'DELETE').catch(() => undefined)
    throw err
  }
}

/** A few at a time, each with a ticket of its own. The first that fails for good stops the others. */
async function sendParts(
  address: string,
  file: File,
  { partBytes, partCount }: Cut,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const sent = new Array<number>(partCount).fill(0)
  const parts = sent.keys()
  const lane = async () => {
    for (const index of parts) {
      const part = file.slice(index * partBytes, (index + 1) * partBytes)
      const note = (bytes: number) => {
        sent[index] = bytes
        onSent(sent.reduce((sum, each) => sum + each, 0))
      }
      await send(`${address}/parts/${index + 1}/sign`, part, note, either)
    }
  }
  try {
    await Promise.all(Array.from({ length: partsAtOnce }, lane))
  } finally {
    failed.abort()
  }
}

/** What breaks off is signed and sent again, a few times; a ticket that is not taken is changed for a fresh one, once. */
async function send(ticketAddress: string, body: Blob, onSent: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  const once = () =>
    patiently(signal, async () => {
      const { presigned } = await json<SignedUploadAnswer>(ticketAddress, 'POST', {})
      await put(presigned, body, onSent, signal)
    })
  await once().catch((err: unknown) => {
    if (!(err instanceof TicketRefused)) throw err
    return once()
  })
}

async function patiently<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (err) {
      if (!(err instanceof PassingRefusal) || tries === triesOverNetwork) throw err
      await pause(250 * 2 ** tries, signal)
    }
  }
}

class TicketRefused extends Refusal {}

/** XMLHttpRequest, because fetch still cannot say how many bytes have left. */
function put({ method, url, headers }: PresignedAnswer, body: Blob, onSent: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const request = new XMLHttpRequest()
    const stop = () => request.abort()
    let hasLeft = false
    request.open(method, url)
    for (const [name, value] of Object.entries(headers)) {
      if (name.toLowerCase() !== 'content-length') request.setRequestHeader(name, value)
    }
    request.upload.onprogress = ({ loaded }) => {
      hasLeft ||= loaded > 0
      onSent(loaded)
    }
    request.onload = () => {
      if (!hasLanded(request)) return reject(refusalOf(request))
      onSent(body.size)
      resolve()
    }
    request.onerror = () => reject(new PassingRefusal(hasLeft || isOurs(url) ? brokenOff : unreachable))
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'))
    request.onloadend = () => signal.removeEventListener('abort', stop)
    signal.addEventListener('abort', stop)
    request.send(body)
  })
}

/** 412 says that something is there already: what we sent before, and did not hear of. Verification looks at it. */
const hasLanded = ({ status }: XMLHttpRequest): boolean => status < 300 || status === 412

/** Our own server explains itself in JSON; a bucket's XML is not for people. */
const refusalOf = ({ status, responseURL, responseText }: XMLHttpRequest): Refusal => {
  const words = isOurs(responseURL)
    ? wordsOf(parsed(responseText))
    : status === 403
      ? refusedTwice
      : `The storage failed (${status}). Try again in a moment.`
  if (status === 403) return new TicketRefused(words)
  return status >= 500 || status === 429 ? new PassingRefusal(words) : new Refusal(words)
}

const brokenOff = 'The upload broke off. Check the connection and try again.'
const unreachable =
  'The storage cannot be reached from this page. Check the connection; if it stands, the rules of the bucket (CORS) do not let this page send to it.'
const refusedTwice =
  'The storage refused the file, and a fresh ticket too. Try again later: somebody has to look at the permissions of the bucket and at the clocks.'

const isOurs = (url: string): boolean => new URL(url, location.href).origin === location.origin

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new DOMException('cancelled', 'AbortError'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
