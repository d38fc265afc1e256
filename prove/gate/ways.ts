import { isRindleError } from '../../src/core/errors.ts'
import { openTicket } from '../../src/core/ticket.ts'
import { receiveObject } from '../../src/flows/uploads/receive-object.ts'
import type { Sent } from './files.ts'
import type { House } from './house.ts'

/** Brings one file in. @returns the asset, in the gate. */
export interface Way {
  readonly name: string
  readonly store: string
  bring(house: House, sent: Sent, bytes: Uint8Array<ArrayBuffer>): Promise<string>
}

const profileOf = ({ profile }: Sent, store: string): string => `${profile}-${store}`
const declared = ({ filename, contentType }: Sent) => ({ filename, ...(contentType === undefined ? {} : { contentType }) })

const byServer = (store: string): Way => ({
  name: `upload to ${store}`,
  store,
  async bring({ rindle }, sent, bytes) {
    const asset = await rindle.upload(profileOf(sent, store), Buffer.from(bytes), declared(sent))
    return asset.id
  },
})

const byPut = (store: string): Way => ({
  name: `PUT to ${store}`,
  store,
  async bring(house, sent, bytes) {
    const { rindle } = house
    const { id } = await rindle.initiateUpload(profileOf(sent, store), { ...declared(sent), byteSize: bytes.byteLength })
    const { presigned } = await rindle.signUpload(id)
    const { status } = store === 'disk' ? await receive(house, presigned, bytes) : await house.send(store, { ...presigned, body: bytes })
    if (status >= 300) throw new Error(`the PUT was answered ${status}`)
    const { asset } = await rindle.verifyCompletion(id)
    return asset.id
  },
})

/** What the http door does with a PUT to an address that it gave out itself. */
const receive = async (
  { ctx }: House,
  { url, headers }: { url: string; headers: Readonly<Record<string, string>> },
  bytes: Uint8Array<ArrayBuffer>,
) => {
  const ticket = openTicket(ctx.keys, 'put', url.slice(url.lastIndexOf('/') + 1), ctx.clock.now())
  const contentType = headers['content-type'] ?? null
  await receiveObject(ctx, ticket, { contentType, contentLength: bytes.byteLength, body: new Blob([bytes]).stream() })
  return { status: 200 }
}

const byParts = (store: string, leastPartBytes: number): Way => ({
  name: `parts to ${store}`,
  store,
  async bring({ rindle, send }, sent, bytes) {
    const partBytes = Math.max(leastPartBytes, Math.ceil(bytes.byteLength / 3))
    const wish = { ...declared(sent), byteSize: bytes.byteLength, partBytes }
    const { session, multipart } = await rindle.initiateMultipartUpload(profileOf(sent, store), wish)
    for (let number = 1; number <= multipart.partCount; number++) {
      const { presigned } = await rindle.signMultipartPart(session.id, number)
      const part = bytes.slice((number - 1) * multipart.partBytes, number * multipart.partBytes)
      const { status } = await send(store, { ...presigned, body: part })
      if (status >= 300) throw new Error(`part ${number} was answered ${status}`)
    }
    const { asset } = await rindle.completeMultipartUpload(session.id)
    return asset.id
  },
})

/** Of an app whose time is set, on its own disk and in a bucket in memory. */
export const waysHere: readonly Way[] = [byServer('disk'), byPut('disk'), byServer('bucket'), byPut('bucket'), byParts('bucket', 1)]
/** On a real server, which takes parts of five megabytes. */
export const waysOnGateway: readonly Way[] = [byServer('gateway'), byPut('gateway'), byParts('gateway', 5 * 1024 * 1024)]

/** The name of what was known before the bytes were; anything else is no answer. */
export const refusalOf = (err: unknown): string => {
  if (isRindleError(err)) return `${err.code}: ${err.message}`
  throw err
}
