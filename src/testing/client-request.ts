/** What a client sends with a ticket. The length is that of `body`; a `content-length` among the headers is not looked at. */
export interface ClientRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer> | null
}

/** What the storage answered. */
export interface ClientAnswer {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array<ArrayBuffer>
}

/** Sends it over the network, and follows nothing. */
export const sendByFetch = async ({ method, url, headers = {}, body = null }: ClientRequest): Promise<ClientAnswer> => {
  const sent = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-length')
  const answer = await fetch(url, { method, headers: Object.fromEntries(sent), body, redirect: 'manual' })
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers.entries()),
    body: new Uint8Array(await answer.arrayBuffer()),
  }
}
