import type { AssetAnswer } from 'rindle/http'

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
  /** From which size on a file goes in parts; null where it never does. */
  readonly uploads: { readonly partsFromBytes: number | null }
  readonly members: readonly Member[]
}

/** A lesson as the page shows it; `film` and `sound` are HTML that the server's videoTag and audioTag made, or empty. */
export interface Lesson {
  readonly id: string
  readonly title: string
  readonly memberId: string
  readonly memberName: string
  readonly assetId: string
  readonly standing: 'checking' | 'making' | 'stopped' | 'failed' | 'refused' | 'gone' | 'ready'
  readonly kind: AssetAnswer['kind']
  readonly durationMs: number | null
  readonly film: string
  readonly sound: string
  /** Changes whenever there is something new to play. */
  readonly ready: string
  readonly problem: string | null
}

/** A refusal in words that can be shown as they are. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** A refusal that may pass by itself: asking again may help. */
export class PassingRefusal extends Refusal {}

export const fetchRoster = (): Promise<Roster> => json('/api/members')
export const fetchAsset = (id: string): Promise<AssetAnswer> => json(`/media/assets/${id}`)
export const removeAvatar = (memberId: string): Promise<unknown> => json(`/api/members/${memberId}/avatar`, 'DELETE')

export const attachAvatar = (memberId: string, assetId: string): Promise<unknown> =>
  json(`/api/members/${memberId}/avatar`, 'PUT', { assetId })

export const fetchLessons = async (): Promise<readonly Lesson[]> => (await json<{ lessons: readonly Lesson[] }>('/api/lessons')).lessons
export const addLesson = (title: string, assetId: string): Promise<{ id: string }> => json('/api/lessons', 'POST', { title, assetId })
export const stopMaking = (id: string): Promise<unknown> => json(`/api/lessons/${id}/stop`, 'POST')
export const makeAgain = (id: string): Promise<unknown> => json(`/api/lessons/${id}/make`, 'POST')
export const removeLesson = (id: string): Promise<unknown> => json(`/api/lessons/${id}`, 'DELETE')

/** @throws Refusal in the server's words */
export async function json<T>(url: string, method = 'GET', body?: object): Promise<T> {
  const init: RequestInit = { method }
  if (body) Object.assign(init, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  const response = await fetch(url, init).catch(() => {
    throw new PassingRefusal('The server cannot be reached. Check the connection and try again.')
  })
  if (response.status === 204) return {} as T
  const answer: unknown = await response.json().catch(() => null)
  if (!response.ok) throw response.status >= 500 ? new PassingRefusal(wordsOf(answer)) : new Refusal(wordsOf(answer))
  return answer as T
}

export const wordsOf = (answer: unknown): string => {
  const message = (answer as { error?: { message?: unknown } } | null)?.error?.message
  return typeof message === 'string' ? message : 'Something failed on our side. Try again in a moment.'
}
