import type { RindleContext } from '../../src/context.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { partSizeOf } from '../../src/core/multipart.ts'
import { cancelUpload } from '../../src/flows/uploads/cancel-upload.ts'
import { completeMultipartUpload } from '../../src/flows/uploads/complete-multipart-upload.ts'
import { initiateMultipartUpload } from '../../src/flows/uploads/initiate-multipart-upload.ts'
import { signMultipartPart } from '../../src/flows/uploads/sign-multipart-part.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import type { Random } from '../harness.ts'
import type { Site } from './site.ts'
import type { Ending } from './vanishing.ts'

/** One way to leave an upload behind. */
export type Way = (site: Site, random: Random) => Promise<void>

interface Begun {
  readonly sessionId: string
  readonly byteSize: number
  readonly partBytes: number
  readonly partCount: number
}

const begin = async (ctx: RindleContext, { ground }: Site, random: Random): Promise<Begun> => {
  // A part of a real bucket has megabytes, so most have one.
  const parts = ground.partBytes < 1_000 || random.chance(0.1) ? random.int(3) : 0
  const byteSize = parts * ground.partBytes + 1 + random.int(Math.min(ground.partBytes - 1, 2_000))
  const { session, multipart } = await initiateMultipartUpload(ctx, 'film', { filename: 'film.png', byteSize, partBytes: ground.partBytes })
  return { sessionId: session.id, byteSize, ...multipart }
}

/** Sends so many of the parts, and keeps some of the tickets for later. */
const send = async (
  ctx: RindleContext,
  site: Site,
  { sessionId, byteSize, partBytes, partCount }: Begun,
  random: Random,
  most = partCount,
) => {
  const numbers = random.shuffle(Array.from({ length: partCount }, (_, index) => index + 1)).slice(0, most)
  for (const number of numbers) {
    const { presigned } = await signMultipartPart(ctx, sessionId, number)
    const request = { ...presigned, body: new Uint8Array(partSizeOf(byteSize, partBytes, number)) }
    if (random.chance(0.3)) site.tickets.push(request)
    await site.ground.send(request).catch(() => undefined)
  }
}

/** Runs until it ends, or until its process does. What is lost on the way is what the proof is about. */
const until = async (gone: Promise<void>, work: Promise<unknown>): Promise<void> =>
  Promise.race([gone, work.then(() => undefined)]).catch((err: unknown) => {
    if (!isRindleError(err)) throw err
  })

const endingAt =
  (ending: Ending, work: (ctx: RindleContext, site: Site, random: Random) => Promise<unknown>): Way =>
  async (site, random) => {
    const { ctx, gone } = site.victim(ending)
    await until(gone, work(ctx, site, random))
  }

const sendAndComplete = async (ctx: RindleContext, site: Site, random: Random): Promise<void> => {
  const begun = await begin(ctx, site, random)
  await send(ctx, site, begun, random)
  await completeMultipartUpload(ctx, begun.sessionId)
}

const partly: Way = async (site, random) => {
  const begun = await begin(site.ctx, site, random)
  await send(site.ctx, site, begun, random, random.int(begun.partCount + 1))
}

const cancelled: Way = async (site, random) => {
  const begun = await begin(site.ctx, site, random)
  await send(site.ctx, site, begun, random, random.int(begun.partCount + 1))
  await cancelUpload(site.ctx, begun.sessionId)
}

/** A file that the app takes in itself, whose end it does not live to see. */
const cutOff: Way = async (site) => {
  const { ctx, gone, vanish } = site.victim(null)
  const chunkBytes = Math.min(site.ground.streamBytes / 3, 1024 * 1024)
  async function* film(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < site.ground.streamBytes; sent += chunkBytes) yield new Uint8Array(chunkBytes)
    vanish()
    await new Promise(() => undefined)
  }
  await until(gone, upload(ctx, 'film', film(), { filename: 'film.png' }))
}

const takenIn = (ctx: RindleContext): Promise<unknown> => upload(ctx, 'film', new Uint8Array(500), { filename: 'film.png' })
const gone = { then: 'gone' } as const
const lost = { then: 'lost' } as const

/** Every point at which an upload can be left. */
export const ways: Readonly<Record<string, Way>> = {
  opened: async (site, random) => void (await begin(site.ctx, site, random)),
  beforeCreate: endingAt({ at: 'create', effect: 'none', ...gone }, begin),
  unrecorded: endingAt({ at: 'create', effect: 'done', ...gone }, begin),
  createUnheard: endingAt({ at: 'create', effect: 'done', ...lost }, begin),
  partly,
  allParts: async (site, random) => send(site.ctx, site, await begin(site.ctx, site, random), random),
  beforeComplete: endingAt({ at: 'complete', effect: 'none', ...gone }, sendAndComplete),
  completeUnheard: endingAt({ at: 'complete', effect: 'done', ...lost }, sendAndComplete),
  completedAndGone: endingAt({ at: 'complete', effect: 'done', ...gone }, sendAndComplete),
  cancelled,
  cutOff,
  beforePut: endingAt({ at: 'put', effect: 'none', ...gone }, takenIn),
  putAndGone: endingAt({ at: 'put', effect: 'done', ...gone }, takenIn),
}
