/** What the page knows about a member; `picture` is HTML that the server's pictureTag made, or empty. */
export interface Member {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly city: string
  readonly picture: string
  readonly portrait: string
  /** The asset that will take the avatar's place, or holds it. */
  readonly assetId: string | null
}

export interface Roster {
  readonly me: string
  readonly members: readonly Member[]
}

export interface AssetAnswer {
  readonly id: string
  readonly state: string
  readonly width: number | null
  readonly height: number | null
  readonly error: { readonly code: string; readonly message: string } | null
  readonly variants: Readonly<
    Record<
      string,
      {
        readonly state: string
        readonly progress: number
        readonly width: number | null
        readonly height: number | null
        readonly url: string | null
      }
    >
  >
}

interface Presigned {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
}

/** A refusal in words that can be shown as they are. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

export const fetchRoster = (): Promise<Roster> => json('/api/members')
export const fetchAsset = (id: string): Promise<AssetAnswer> => json(`/media/assets/${id}`)
export const removeAvatar = (memberId: string): Promise<unknown> => json(`/api/members/${memberId}/avatar`, 'DELETE')

/** Brings a file all the way to "it is in the gate": ticket, bytes straight to storage, verification, attachment. */
export async function sendAvatar(memberId: string, file: File, onSent: (share: number) => void, signal: AbortSignal): Promise<string> {
  const { session } = await json<{ session: { id: string } }>('/media/uploads', 'POST', {
    profile: 'avatar',
    filename: file.name,
    byteSize: file.size,
    ...(file.type ? { contentType: file.type } : {}),
  })
  const { presigned } = await json<{ presigned: Presigned }>(`/media/uploads/${session.id}/sign`, 'POST', {})
  await put(presigned, file, onSent, signal)
  const { asset } = await json<{ asset: { id: string } }>(`/media/uploads/${session.id}/verify`, 'POST', {})
  await json(`/api/members/${memberId}/avatar`, 'PUT', { assetId: asset.id })
  return asset.id
}

async function json<T>(url: string, method = 'GET', body?: object): Promise<T> {
  const init: RequestInit = { method }
  if (body) Object.assign(init, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  const response = await fetch(url, init).catch(() => {
    throw new Refusal('The server cannot be reached. Check the connection and try again.')
  })
  if (response.status === 204) return {} as T
  const answer: unknown = await response.json().catch(() => null)
  if (!response.ok) throw new Refusal(wordsOf(answer))
  return answer as T
}

/** XMLHttpRequest, because fetch still cannot say how many bytes have left. */
function put(presigned: Presigned, file: File, onSent: (share: number) => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open(presigned.method, presigned.url)
    for (const [name, value] of Object.entries(presigned.headers)) {
      if (name.toLowerCase() !== 'content-length') request.setRequestHeader(name, value)
    }
    request.upload.onprogress = (event) => onSent(event.total > 0 ? event.loaded / event.total : 0)
    request.onload = () =>
      request.status < 300 || request.status === 412 ? resolve() : reject(new Refusal(wordsOf(parsed(request.responseText))))
    request.onerror = () => reject(new Refusal('The upload broke off. Check the connection and try again.'))
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'))
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const wordsOf = (answer: unknown): string => {
  const message = (answer as { error?: { message?: unknown } } | null)?.error?.message
  return typeof message === 'string' ? message : 'Something failed on our side. Try again in a moment.'
}
