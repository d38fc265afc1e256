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
  /** Leads to the track of a strip that may be served. */
  readonly track: string
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
    used += 3
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

const stillGood = async (house: House, door: Handler, { put: ticket, get, track }: Genuine): Promise<boolean> => {
  const [, strip = ''] = /^(\S+)#xywh=/m.exec(await (await door(new Request(track))).text()) ?? []
  for (const url of [get, strip]) if ((await door(new Request(url))).status !== 200) return false
  if ((await put(door, ticket)) !== 200) return false
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

/** Has one variant of an asset be a strip, as one of a film is: where its frames are is all that its track is written from. */
const withStrip = async (house: House, assetId: string): Promise<string> => {
  const grid = 'tile_width = 8, tile_height = 8, tile_columns = 2, tile_rows = 1, tile_count = 2, tile_interval_ms = 1000'
  await house.database.query(`update rindle.media_variants set ${grid} where asset_id = $1 and name = 'thumb'`, [assetId])
  const url = await house.rindle.stripTrackUrl(assetId)
  if (url === null) throw new Error('there is no strip')
  return url
}

/** Has another object take the place of a strip, as when it is made again. */
const replaceStrip = (house: House, assetId: string): Promise<unknown> =>
  house.database.query(
    `update rindle.media_variants v set object_id = o.object_id from rindle.media_variants o where v.asset_id = $1 and o.asset_id = $1 and v.name <> o.name`,
    [assetId],
  )

/** Spends some tickets in every way there is, then gives out fresh ones. Clears away what former sets left, so that a look at all rows stays cheap. */
const giveOut = async (house: House, door: Handler, random: Random): Promise<Genuine> => {
  await house.empty()
  const asset = await house.rindle.upload('photo', await png(8 + random.int(64), 8 + random.int(64)), { filename: 'a.png' })
  await house.promote(asset.id)
  const refused = await house.rindle.upload('photo', await png(16, 16), { filename: 'a.png' })
  await house.promote(refused.id)
  const [refusedUrl, refusedTrack] = [await house.rindle.url(refused.id), await withStrip(house, refused.id)]
  await house.rindle.purge(refused.id)

  const expired = await sign(house, random)
  const [expiredUrl, expiredTrack] = [await house.rindle.url(asset.id), await withStrip(house, asset.id)]
  const again = await house.rindle.upload('photo', await png(24, 24), { filename: 'a.png' })
  await house.promote(again.id)
  house.clock.advance(901)
  const formerTrack = await withStrip(house, again.id)
  await replaceStrip(house, again.id)
  const [used, verified, cancelled] = [await sign(house, random), await sign(house, random), await sign(house, random)]
  await put(door, used)
  await put(door, verified)
  await house.rindle.verifyCompletion(verified.sessionId)
  await house.rindle.cancelUpload(cancelled.sessionId)

  const spentPut = (why: string, { url, headers, bytes }: PutTicket) => ({ why, url, headers, method: 'PUT', body: bytes })
  const spentGet = (why: string, url: string) => ({ why, url, headers: {}, method: random.pick(['GET', 'HEAD']), body: null })
  const spentTrack = (why: string, url: string) => ({ why: `for a track, ${why}`, url, headers: {}, method: 'GET', body: null })
  return {
    put: await sign(house, random, { bound: true }),
    get: await house.rindle.url(asset.id),
    track: await withStrip(house, asset.id),
    spent: [
      spentPut('expired', expired),
      spentPut('replayed after its PUT', used),
      spentPut('replayed after the verification', verified),
      spentPut('used after the upload was cancelled', cancelled),
      spentGet('expired', expiredUrl),
      spentGet('of an asset that was purged', refusedUrl),
      spentTrack('expired', expiredTrack),
      spentTrack('of an asset that was purged', refusedTrack),
      spentTrack('of a strip that another one took the place of', formerTrack),
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

const tampered: Attack = ({ put: ticket, get, track }, random) => {
  const [kind, mine, others] = random.pick([
    ['PUT', ticket.url, [get, track]],
    ['GET', get, [ticket.url, track]],
    ['track', track, [ticket.url, get]],
  ] as const)
  const [base, token] = split(mine)
  const other = tamper(token, split(random.pick(others))[1], random)
  const url = `${base}${other}`
  return {
    what: `a tampered ticket ${other.length} long (${kind})`,
    request: kind === 'PUT' ? putWith(ticket, { url }) : request(url, random.pick(['GET', 'HEAD'])),
  }
}

/** Every ticket where one of another kind belongs. */
const repurposed: Attack = ({ put: ticket, get, track }, random) => {
  const [objects, tracks] = [split(get)[0], split(track)[0]]
  return random.pick<() => Attempt>([
    () => ({ what: 'a GET ticket used to write', request: putWith(ticket, { url: get }) }),
    () => ({ what: 'a PUT ticket used to read', request: request(ticket.url, random.pick(['GET', 'HEAD'])) }),
    () => ({ what: 'a PUT ticket used to read a track', request: request(tracks + split(ticket.url)[1], 'GET') }),
    () => ({ what: 'a GET ticket used to read a track', request: request(tracks + split(get)[1], 'GET') }),
    () => ({ what: 'a track ticket used to read', request: request(objects + split(track)[1], random.pick(['GET', 'HEAD'])) }),
    () => ({ what: 'a track ticket used to write', request: putWith(ticket, { url: objects + split(track)[1] }) }),
  ])()
}

/** A good ticket by another way than its own. */
const otherPath: Attack = ({ get, track }, random) => {
  const [base, token] = split(random.pick([get, track]))
  const [mount, place = ''] = split(base.slice(0, -1))
  const other = place === 'tracks' ? 'objects' : 'tracks'
  const path = random.pick([
    `${place}/${token}/`,
    `${place}/${token}/x`,
    `${place}/x/${token}`,
    `${place}//${token}`,
    `/${place}/${token}`,
    `${place}/${token}%2f`,
    `${place}/${token}%00`,
    `${place}/${token};x`,
    `${place}/%2e%2e%2f${place}%2f${token}`,
    `${place}/..%5c${place}%5c${token}`,
    `${place}/../${other}/${token}`,
    `${place}/${token}/../../${other}/${token}`,
    `${place}%2f${token}`,
    `${place.toUpperCase()}/${token}`,
    `${place}/`,
    token,
  ])
  return { what: `${path.replaceAll(token, 'a ticket')} asked for`, request: request(`${mount}${path}`, random.pick(['GET', 'HEAD'])) }
}

const otherMethod: Attack = ({ put: ticket, get, track }, random) => {
  const [url, methods] = random.pick([
    [ticket.url, ['POST', 'DELETE', 'PATCH']],
    [get, ['POST', 'DELETE', 'PATCH']],
    [track, ['POST', 'DELETE', 'PATCH', 'PUT', 'HEAD']],
  ] as const)
  const method = random.pick(methods)
  return {
    what: `${method} with a ticket`,
    request: request(url, method, { headers: ticket.headers, body: method === 'HEAD' ? null : ticket.bytes }),
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
const forged: Attack = ({ put: ticket, track }, random) => {
  const keys = createKeyRing([`a guess at the secret, number ${random.int(1_000_000)}, long enough`])
  const [issuedAt, forLong] = [new Date('2026-01-01T12:00:00Z'), new Date('2099-01-01T00:00:00Z')]
  const objectId = '01a20459-5065-7573-89b6-6c1798020b97'
  const claims = { store: 'local:/', key: 'sealed/x/y.png', objectId, contentType: 'image/png', issuedAt }
  const sent = { sessionId: null, sizeBytes: ticket.bytes.byteLength, sha256: null, createOnly: true }
  const objects = `${origin}/media/objects/`
  return random.pick<() => Attempt>([
    () => {
      const token = mintTicket(keys, 'put', { ...claims, ...sent, expiresAt: new Date(issuedAt.getTime() + 900_000) })
      return { what: 'a forged PUT ticket', request: putWith(ticket, { url: objects + token }) }
    },
    () => {
      const token = mintTicket(keys, 'get', { ...claims, contentDisposition: 'inline', cache: 'private', expiresAt: forLong })
      return { what: 'a forged GET ticket', request: request(objects + token, 'GET') }
    },
    () => {
      const token = mintTicket(keys, 'track', { assetId: objectId, objectId, cache: 'public', issuedAt, expiresAt: forLong })
      return { what: 'a forged ticket of a track', request: request(split(track)[0] + token, 'GET') }
    },
  ])()
}

const attacks: readonly Attack[] = [
  spent,
  spent,
  tampered,
  tampered,
  tampered,
  repurposed,
  repurposed,
  otherPath,
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
