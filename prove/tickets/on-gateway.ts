import { createHash } from 'node:crypto'
import sharp from 'sharp'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import type { ProofContext, Random } from '../harness.ts'
import { type BucketHouse, openBucketHouse } from './bucket-house.ts'
import { attacks, type Genuine, type Given, type Session, type Spent } from './gateway-attacks.ts'
import { keyOf, parameter } from './presigned.ts'
import { sendOnWire } from './wire.ts'

/** Attempts between two sets of genuine tickets. */
const setSize = 100

const weighted = Object.values(attacks).flatMap(({ attack, weight }) => Array.from({ length: weight }, () => attack))

export interface GatewayCounts {
  readonly attempts: number
  /** Tickets that were used as they were meant, after the others. */
  readonly genuine: number
}

/** Tries tickets on a real server, over sockets, and compares everything in the bucket and every row before and after. */
export const tryOnGateway = async (context: ProofContext, amount: number): Promise<GatewayCounts> => {
  const { random, breach, signal, folder } = context
  const house = await openBucketHouse(folder)
  let [attempts, used] = [0, 0]
  try {
    while (attempts < amount && !signal.aborted) {
      const genuine = await giveOut(house, random)
      let before = await house.snapshot()
      for (let left = Math.min(setSize, amount - attempts); left > 0 && !signal.aborted; left -= 1) {
        const { what, request, expected } = random.pick(weighted)(genuine, random)
        const { status } = await sendOnWire(request)
        attempts += 1
        const isCut = request.cutAfter !== undefined && status === null
        if (!isCut && !(status !== null && expected.includes(status))) breach(`${what}: answered ${status}, not ${expected.join(' or ')}`)
        const after = await house.snapshot()
        if (after !== before) breach(`${what}: rows or bucket are not what they were`)
        before = after
      }
      used += await useAll(house, genuine, breach)
    }
    return { attempts, genuine: used }
  } finally {
    await house.close()
  }
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const send = ({ ticket, bytes }: Given) =>
  sendOnWire({ method: ticket.method, url: ticket.url, headers: ticket.headers, body: ticket.method === 'PUT' ? bytes : new Uint8Array(0) })

/** Spends tickets in every way there is, then gives out fresh ones. Clears away what former sets left. */
const giveOut = async (house: BucketHouse, random: Random): Promise<Genuine> => {
  await house.empty()
  const expired = await inThePast(house, async () => [await openPut(house, random), await openPart(house, random)])
  const [replayed, verified, sent, cancelled] = [
    await openPut(house, random),
    await openPut(house, random),
    await openPart(house, random),
    await openPart(house, random),
  ]
  for (const one of [replayed, verified, sent]) await mustBe(200, one)
  await house.rindle.verifyCompletion(verified.sessionId)
  await house.rindle.completeMultipartUpload(sent.sessionId)
  await house.rindle.cancelUpload(cancelled.sessionId)
  await house.tidy()

  const get = await openGet(house, random)
  const expiredGet = { ...get, ticket: await inThePast(house, () => getTicket(house, get.assetId)) }
  const [put, part, other] = [await openPut(house, random), await openPart(house, random), await openPart(house, random)]
  const otherBytes = { ...replayed, bytes: random.bytes(replayed.bytes.length) }
  const spentFor = (why: string, expected: readonly number[], given: Given): Spent => ({ ...given, why, expected })
  const { region, credentials } = house.bucket
  return {
    ...{ put, part, get, region },
    accessKeyId: credentials.accessKeyId,
    otherUploadId: parameter(other.ticket.url, 'uploadId'),
    paths: [put, part, get, replayed, verified].map(({ ticket }) => keyOf(ticket.url)),
    spent: [
      ...[...expired, expiredGet].map((given) => spentFor('that has expired', [403], given)),
      spentFor('used again', [412], replayed),
      spentFor('used again for other bytes', [412], otherBytes),
      spentFor('used again after the verification', [412], verified),
      spentFor('used again after the completion', [404], sent),
      spentFor('used after the upload was cancelled', [404], cancelled),
    ],
  }
}

/** Signed an hour ago, for a quarter of one. */
const inThePast = async <T>(house: BucketHouse, run: () => Promise<T>): Promise<T> => {
  house.clock.setTo(new Date(Date.now() - 3_600_000))
  try {
    return await run()
  } finally {
    house.clock.setTo(new Date())
  }
}

const openPut = async (house: BucketHouse, random: Random): Promise<Session> => {
  const bytes = random.bytes(64 + random.int(512))
  const { id } = await house.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.length, sha256: digest(bytes) })
  const { presigned } = await house.rindle.signUpload(id)
  return { sessionId: id, ticket: presigned, bytes }
}

const openPart = async (house: BucketHouse, random: Random): Promise<Session> => {
  const bytes = random.bytes(64 + random.int(512))
  const { session } = await house.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length })
  const { presigned } = await house.rindle.signMultipartPart(session.id, 1)
  return { sessionId: session.id, ticket: presigned, bytes }
}

const openGet = async (house: BucketHouse, random: Random): Promise<Given & { readonly assetId: string }> => {
  const create = { width: 8 + random.int(64), height: 8 + random.int(64), channels: 3 as const, background: '#146aa0' }
  const bytes = await sharp({ create }).png().toBuffer()
  const session = await house.rindle.initiateUpload('photo', { filename: 'a picture.png', byteSize: bytes.length })
  const { presigned } = await house.rindle.signUpload(session.id)
  await mustBe(200, { bytes, ticket: { ...presigned, headers: { ...presigned.headers, ...unsigned } } })
  const { asset } = await house.rindle.verifyCompletion(session.id)
  await promoteAsset(house.ctx, asset.id)
  return { assetId: asset.id, bytes, ticket: await getTicket(house, asset.id) }
}

/** Headers that a client may send with its PUT although no ticket speaks of them, and that would change what is served. */
const unsigned = { 'content-language': 'xx', 'cache-control': 'public, max-age=31536000' }

const getTicket = async (house: BucketHouse, assetId: string): Promise<Given['ticket']> => ({
  url: await house.rindle.url(assetId),
  method: 'GET',
  headers: {},
  expiresAt: house.clock.now(),
})

const mustBe = async (status: number, given: Given): Promise<void> => {
  const answer = await sendOnWire({ method: 'PUT', url: given.ticket.url, headers: given.ticket.headers, body: given.bytes })
  if (answer.status !== status) throw new Error(`a genuine ticket was answered ${answer.status}: ${answer.body.toString()}`)
}

/** Only the wrong was refused: what is right still does what it is for. @returns how many tickets were used. */
const useAll = async (house: BucketHouse, { put, part, get }: Genuine, breach: (text: string) => void): Promise<number> => {
  for (const given of [put, part]) {
    const { status } = await send(given)
    if (status !== 200) breach(`a genuine PUT was answered ${status} after the others`)
  }
  const got = await send(get)
  if (got.status !== 200 || !got.body.equals(get.bytes)) breach(`a genuine GET was answered ${got.status} after the others`)
  if (got.headers['content-type'] !== 'image/png' || !got.headers['content-disposition']?.startsWith('inline'))
    breach('a genuine GET was not answered with the type and the disposition that were signed')
  for (const name of Object.keys(unsigned)) if (name in got.headers) breach(`what is served carries the ${name} that a client sent`)
  const verified = await house.rindle.verifyCompletion(put.sessionId)
  const completed = await house.rindle.completeMultipartUpload(part.sessionId)
  for (const { asset } of [verified, completed]) if (asset.state !== 'validating') breach(`a genuine upload is ${asset.state}`)
  return 3
}
