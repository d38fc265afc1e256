import { s3 } from '../../src/adapters/storage/s3.ts'
import { createRindle } from '../../src/rindle.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import type { GatewayAccess } from '../../scripts/gateway.ts'
import { createRandom, type Random } from '../harness.ts'
import { filmOf, secret } from './site.ts'

/** What the process that is to be killed is told. */
export interface Task extends GatewayAccess {
  readonly url: string
  readonly bucket: string
  readonly seed: number
  readonly uploads: number
}

/** A process that takes many uploads at once, each to some point, and goes on until it is killed. */
const { url, bucket, endpoint, region, credentials, seed, uploads } = JSON.parse(process.argv[2] ?? '{}') as Task
const rindle = createRindle({
  database: url,
  secrets: [secret],
  profiles: { film: filmOf(s3({ bucket, endpoint, region, credentials })) },
})
await rindle.ready()

const inParts = async (random: Random): Promise<void> => {
  const byteSize = 1 + random.int(20_000)
  const { session } = await rindle.initiateMultipartUpload('film', { filename: 'film.png', byteSize })
  process.send?.('begun')
  if (random.chance(0.2)) return
  const { presigned } = await rindle.signMultipartPart(session.id, 1)
  await sendByFetch({ ...presigned, body: new Uint8Array(byteSize) })
  if (random.chance(0.3)) await rindle.completeMultipartUpload(session.id)
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < 17; sent += 1) yield new Uint8Array(1024 * 1024)
  process.send?.('begun')
  await new Promise(() => undefined)
}

const tasks = Array.from({ length: uploads }, (_, index) => {
  const random = createRandom(seed).fork(index)
  return index % 10 === 9 ? rindle.upload('film', endless(), { filename: 'film.png' }) : inParts(random)
})
await Promise.allSettled(tasks)
setInterval(() => undefined, 1_000)
