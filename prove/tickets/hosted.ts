import { createHash } from 'node:crypto'
import { createKeyRing } from '../../src/core/key-ring.ts'
import { mintTicket } from '../../src/core/ticket.ts'
import type { Handler } from '../../src/doors/http/index.ts'
import { engines } from '../../test/services/engines.ts'
import { type House, openHouse, origin, png } from '../../test/journeys/fixtures/house.ts'
import type { ProofContext, Random } from '../harness.ts'

/** Tries tickets of our own http door, and compares every row and every file before and after. */
export const tryHosted = async (context: ProofContext, amount: number): Promise<{ attempts: number; genuine: number }> => {
  const engine = engines.find(({ name }) => name === 'pglite')
  if (!engine) throw new Error('PGlite is needed')
  const house = await openHouse(engine)
  try {
    return await tryAll(context, house, amount)
  } finally {
    await house.close()
  }
}

/** What is genuine: tickets that were given out, and what they are for. */
interface Genuine {
  readonly put: PutTicket
  /** Leads to an object that may be served. */
  readonly get: string
  /** Were given out, and are good for nothing any more. */
  readonly spent: readonly {
    readonly url: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: Uint8Array<ArrayBuffer> | null
    readonly why: string
  }[]
}

interface PutTicket {
  readonly sessionId: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array<ArrayBuffer>
}

interface Attempt {
  readonly request: Request
  /** What is tried, for the report. */
  readonly what: string
}

/** Attempts between two sets of genuine tickets; the genuine ones of a set are used at its end, to show that only the wrong is refused. */
const setSize = 50

const tryAll = async ({ random, breach, signal }: ProofContext, house: House, amount: number) => {
  const door = house.door()
  let [runs, used] = [0, 0]
  while (runs < amount && !signal.aborted) {
    const genuine = await giveOut(house, door, random)
    let before = await snapshot(house)
    for (let left = Math.min(setSize, amount - runs); left > 0 && !signal.aborted; left -= 1) {
      const { request, what } = random.pick(attacks)(genuine, random)
      const response = await door(request)
      const answer = await response.text()
      runs += 1
      if (response.status < 400) breach(`${what}: answered ${response.status}`)
      if (/local:|staging\/|sealed\/|rindle-house/.test(answer)) breach(`${what}: the answer tells where things are`)
      const after = await snapshot(house)
      if (after !== before) breach(`${what}: rows or files are not what they were`)
      before = after
    }
    if (!(await stillGood(house, door, genuine))) breach('a genuine ticket was refused after the others')
    used += 2
  }
  return { attempts: runs, genuine: used }
}

const snapshot = async (house: House): Promise<string> =>
  createHash('sha256')
    .update(await house.rows())
    .update(JSON.stringify(await house.disk()))
    .digest('hex')

const put = async (door: Handler, ticket: PutTicket): Promise<number> =>
  (await door(new Request(ticket.url, { method: 'PUT', headers: { ...ticket.headers }, body: ticket.bytes }))).status

const stillGood = async (house: House, door: Handler, { put: ticket, get }: Genuine): Promise<boolean> => {
  if ((await door(new Request(get))).status !== 200 || (await put(door, ticket)) !== 200) return false
  return (await house.rindle.verifyCompletion(ticket.sessionId)).asset.state === 'validating'
}

const sign = async (house: House, random: Random, options: { readonly bound?: boolean } = {}): Promise<PutTicket> => {
  const bytes = random.bytes(64 + random.int(512))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const session = await house.rindle.initiateUpload('photo', {
    filename: 'a.png',
    byteSize: bytes.byteLength,
    ...(options.bound === false ? {} : { sha256 }),
  })
  const { presigned } = await house.rindle.signUpload(session.id)
  return { sessionId: session.id, url: presigned.url, headers: presigned.headers, bytes }
}

/** Spends some tickets in every way there is, then gives out fresh ones. Clears away what former sets left, so that a look at all rows stays cheap. */
const giveOut = async (house: House, door: Handler, random: Random): Promise<Genuine> => {
  await house.empty()
  const asset = await house.rindle.upload('photo', await png(8 + random.int(64), 8 + random.int(64)), { filename: 'a.png' })
  await house.promote(asset.id)
  const refused = await house.rindle.upload('photo', await png(16, 16), { filename: 'a.png' })
  await house.promote(refused.id)
  const refusedUrl = await house.rindle.url(refused.id)
  await house.rindle.purge(refused.id)

  const expired = await sign(house, random)
  const expiredUrl = await house.rindle.url(asset.id)
  house.clock.advance(901)
  const [used, verified, cancelled] = [await sign(house, random), await sign(house, random), await sign(house, random)]
  await put(door, used)
  await put(door, verified)
  await house.rindle.verifyCompletion(verified.sessionId)
  await house.rindle.cancelUpload(cancelled.sessionId)

  const spentPut = (why: string, { url, headers, bytes }: PutTicket) => ({ why, url, headers, method: 'PUT', body: bytes })
  const spentGet = (why: string, url: string) => ({ why, url, headers: {}, method: random.pick(['GET', 'HEAD']), body: null })
  return {
    put: await sign(house, random, { bound: true }),
    get: await house.rindle.url(asset.id),
    spent: [
      spentPut('expired', expired),
      spentPut('replayed after its PUT', used),
      spentPut('replayed after the verification', verified),
      spentPut('used after the upload was cancelled', cancelled),
      spentGet('expired', expiredUrl),
      spentGet('of an asset that was purged', refusedUrl),
    ],
  }
}

type Attack = (genuine: Genuine, random: Random) => Attempt

const request = (
  url: string,
  method: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array<ArrayBuffer> | null } = {},
): Request => new Request(url, { method, headers: { ...options.headers }, ...(options.body ? { body: options.body } : {}) })

const putWith = (
  { url, headers, bytes }: PutTicket,
  other: { readonly url?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: Uint8Array<ArrayBuffer> },
): Request => request(other.url ?? url, 'PUT', { headers: { ...headers, ...other.headers }, body: other.body ?? bytes })

const spent: Attack = (genuine, random) => {
  const { why, url, method, headers, body } = random.pick(genuine.spent)
  return { what: `a ticket ${why} (${method})`, request: request(url, method, { headers, body }) }
}

const tampered: Attack = ({ put: ticket, get }, random) => {
  const writes = random.chance(0.5)
  const [base, token] = split(writes ? ticket.url : get)
  const other = tamper(token, split(writes ? get : ticket.url)[1], random)
  const url = `${base}${other}`
  return {
    what: `a tampered ticket ${other.length} long (${writes ? 'PUT' : 'GET'})`,
    request: writes ? putWith(ticket, { url }) : request(url, random.pick(['GET', 'HEAD'])),
  }
}

const repurposed: Attack = ({ put: ticket, get }, random) => {
  if (random.chance(0.5)) return { what: 'a GET ticket used to write', request: putWith(ticket, { url: get }) }
  return { what: 'a PUT ticket used to read', request: request(ticket.url, random.pick(['GET', 'HEAD'])) }
}

const otherMethod: Attack = ({ put: ticket, get }, random) => {
  const method = random.pick(['POST', 'DELETE', 'PATCH'])
  return {
    what: `${method} with a ticket`,
    request: request(random.pick([ticket.url, get]), method, { headers: ticket.headers, body: ticket.bytes }),
  }
}

const otherLength: Attack = ({ put: ticket }, random) => {
  const { bytes } = ticket
  const length = random.pick([
    0,
    1,
    bytes.byteLength - 1,
    bytes.byteLength + 1,
    random.int(4096) + bytes.byteLength + 1,
    random.int(bytes.byteLength),
  ])
  const body = new Uint8Array(length)
  body.set(bytes.subarray(0, Math.min(length, bytes.byteLength)))
  const headers = random.chance(0.5) ? { 'content-length': String(random.pick([length, bytes.byteLength])) } : {}
  return { what: `${length} bytes instead of ${bytes.byteLength}`, request: putWith(ticket, { body, headers }) }
}

const otherType: Attack = ({ put: ticket }, random) => {
  const type = random.pick([
    'text/html',
    'image/jpeg',
    'image/svg+xml',
    'application/octet-stream',
    '',
    'image/pngx',
    'multipart/form-data; boundary=x',
  ])
  return { what: `type ${type}`, request: putWith(ticket, { headers: { 'content-type': type } }) }
}

const otherBytes: Attack = ({ put: ticket }, random) => {
  const body = ticket.bytes.slice()
  const at = random.int(body.byteLength)
  body[at] = (body[at] ?? 0) ^ (1 << random.int(8))
  return { what: 'other bytes of the same length', request: putWith(ticket, { body }) }
}

const brokenOff: Attack = ({ put: ticket }, random) => {
  const sent = random.int(ticket.bytes.byteLength)
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(ticket.bytes.subarray(0, sent)),
    pull: (controller) => controller.error(new TypeError('the connection was lost')),
  })
  const init = { method: 'PUT', headers: { ...ticket.headers, 'content-length': String(ticket.bytes.byteLength) }, body, duplex: 'half' }
  return { what: `a body that breaks off after ${sent} bytes`, request: new Request(ticket.url, init) }
}

/** Made as ours are, for the very same objects, by somebody who knows everything but the secrets. */
const forged: Attack = ({ put: ticket }, random) => {
  const keys = createKeyRing([`a guess at the secret, number ${random.int(1_000_000)}, long enough`])
  const now = new Date('2026-01-01T12:00:00Z')
  const claims = {
    store: 'local:/',
    key: 'sealed/x/y.png',
    objectId: '01a20459-5065-7573-89b6-6c1798020b97',
    contentType: 'image/png',
    issuedAt: now,
  }
  const writes = random.chance(0.5)
  const token = writes
    ? mintTicket(keys, 'put', {
        ...claims,
        sessionId: null,
        sizeBytes: ticket.bytes.byteLength,
        sha256: null,
        createOnly: true,
        expiresAt: new Date(now.getTime() + 900_000),
      })
    : mintTicket(keys, 'get', { ...claims, contentDisposition: 'inline', cache: 'private', expiresAt: new Date('2099-01-01T00:00:00Z') })
  const url = `${origin}/media/objects/${token}`
  return { what: `a forged ${writes ? 'PUT' : 'GET'} ticket`, request: writes ? putWith(ticket, { url }) : request(url, 'GET') }
}

const attacks: readonly Attack[] = [
  spent,
  spent,
  tampered,
  tampered,
  tampered,
  repurposed,
  otherMethod,
  otherLength,
  otherType,
  otherBytes,
  brokenOff,
  forged,
]

const split = (url: string): [string, string] => [url.slice(0, url.lastIndexOf('/') + 1), url.slice(url.lastIndexOf('/') + 1)]

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Never gives back what it was given. */
const tamper = (token: string, other: string, random: Random): string => {
  const at = random.int(token.length)
  const [claims = '', mac = ''] = token.split('.')
  const [otherClaims = '', otherMac = ''] = other.split('.')
  const changed = random.pick([
    () => token.slice(0, at) + random.pick([...alphabet]) + token.slice(at + 1),
    () => token.slice(0, at) + token.slice(at + 1),
    () => token.slice(0, at) + random.pick([...alphabet, '.', '=', '%41', '+']) + token.slice(at),
    () => token.slice(0, at),
    () => `${token}${random.pick(['=', 'A', '.', '.A', '%00', '%20', ' '])}`,
    () => `${claims}.${otherMac}`,
    () => `${otherClaims}.${mac}`,
    () => `${mac}.${claims}`,
    () => `${claims}.`,
    () => `.${mac}`,
    () => token.toLowerCase(),
    () => [...token].reverse().join(''),
    () => other.slice(0, at) + token.slice(at),
    () => token.repeat(1 + random.int(40)).slice(0, -1),
  ])()
  return changed === token || changed === `${token} ` ? `${token}A` : changed
}
