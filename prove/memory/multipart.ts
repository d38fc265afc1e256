import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startGateway } from '../../scripts/gateway.ts'
import { partSizeOf } from '../../src/core/multipart.ts'
import { openBucket } from '../../test/services/bucket.ts'
import type { ProofContext, ProofSize } from '../harness.ts'
import type { ClientCommands } from './client.ts'
import { type Peer, startPeer } from './peer.ts'
import type { WebCommands } from './web.ts'
import type { WorkerCommands } from './worker.ts'

export interface MultipartFigures {
  readonly webGrowthBytes: number
  readonly workerGrowthBytes: number
  /** The most that lay in the folder of the worker's jobs. */
  readonly scratchBytes: number
  readonly ms: number
}

const mebibyte = 1024 * 1024
/** What is sent in parts. */
export const multipartMebibytes: Readonly<Record<ProofSize, number>> = { ci: 64, tenth: 320, full: 3072 }
const warmUpBytes = 20 * mebibyte
const partBytes = 16 * mebibyte
const partsAtOnce = 3

interface App {
  readonly web: Peer<WebCommands>
  readonly worker: Peer<WorkerCommands>
  readonly client: Peer<ClientCommands>
}

/** A client sends a large file in parts to a real bucket, and a worker takes it through the gate: four processes, the storage among them. */
export const sendInParts = async (context: ProofContext, url: string): Promise<MultipartFigures> => {
  const { size, folder, signal } = context
  const bytes = multipartMebibytes[size] * mebibyte
  // The file, its sealed copy, and room for what is being deleted.
  const gateway = size === 'full' ? await startGateway({ bytes: 2.5 * bytes }) : undefined
  const { close, client: _, guest: __, ...place } = await openBucket({}, gateway)
  const scratchFolder = join(folder, 'scratch')
  mkdirSync(scratchFolder)
  const task = { url, scratchFolder, ...place }
  const app: App = {
    web: startPeer('./web.ts', task, signal),
    worker: startPeer('./worker.ts', task, signal),
    client: startPeer('./client.ts', {}, signal),
  }
  try {
    await carry(app, warmUpBytes, context)
    return await measured(app, scratchFolder, () => carry(app, bytes, context))
  } finally {
    await Promise.all([app.web.stop(), app.worker.stop(), app.client.stop()])
    await close()
    await gateway?.stop()
  }
}

const measured = async ({ web, worker }: App, scratchFolder: string, run: () => Promise<void>): Promise<MultipartFigures> => {
  const [webIdle, workerIdle] = await Promise.all([web.ask('rest', null), worker.ask('rest', null)])
  let scratchBytes = 0
  const look = setInterval(() => (scratchBytes = Math.max(scratchBytes, bytesIn(scratchFolder))), 20)
  const started = performance.now()
  try {
    await run()
  } finally {
    clearInterval(look)
  }
  const ms = Math.round(performance.now() - started)
  const [webPeak, workerPeak] = await Promise.all([web.ask('peak', null), worker.ask('peak', null)])
  return { webGrowthBytes: webPeak - webIdle, workerGrowthBytes: workerPeak - workerIdle, scratchBytes, ms }
}

/** From the opening to the bytes that are served. */
const carry = async ({ web, client }: App, byteSize: number, { note, breach }: ProofContext): Promise<void> => {
  const sha256 = await client.ask('digest', byteSize)
  const { sessionId, partCount } = await web.ask('open', { byteSize, sha256, partBytes })
  let next = 1
  const sendSome = async (): Promise<void> => {
    for (let partNumber = next++; partNumber <= partCount; partNumber = next++) {
      const ticket = await web.ask('sign', { sessionId, partNumber })
      const length = partSizeOf(byteSize, partBytes, partNumber)
      const status = await client.ask('send', { ...ticket, start: (partNumber - 1) * partBytes, length })
      if (status !== 200) throw new Error(`part ${partNumber} was answered ${status}`)
    }
  }
  await Promise.all(Array.from({ length: partsAtOnce }, sendSome))
  const { state, byteSize: recorded, url } = await web.ask('url', await web.ask('complete', sessionId))
  if (recorded !== byteSize) breach(`${recorded} bytes are recorded of a file of ${byteSize}`)
  const served = await client.ask('fetch', url)
  if (served.status !== 200 || served.sha256 !== sha256) breach(`what is served is not what was sent (${served.status})`)
  note(`${partCount} parts of ${byteSize} bytes sent, judged (${state}) and served`)
}

const bytesIn = (folder: string): number => {
  let bytes = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}
