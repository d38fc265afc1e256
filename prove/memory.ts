import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { engineNamed } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext } from './harness.ts'
import { multipartMebibytes, sendInParts } from './memory/multipart.ts'
import type { UploadFigures } from './memory/uploader.ts'

const allowedBytes = 100_000_000

/** Beginnings of files that are recognised, and what a decoder of its own holds: never what grows with the file. */
const allowedScratchBytes = 1_000_000

/** A large upload must not become a large process: the app of a memory limit would be killed with it. */
export const memory: Proof = {
  name: 'memory',
  means:
    'a server-side upload of 2 GiB, and one of 3 GiB in parts to S3, keep the web process and the worker within 100 MB of idle, with no more than its beginning on disk',
  unit: 'MiB',
  amount: { ci: 512, full: 2048 },
  shows: {
    growthMb: 'MB more in the app for 2 GiB',
    webGrowthMb: 'MB in the web process',
    workerGrowthMb: 'MB in the worker for 3 GiB in parts',
  },
  async run(context) {
    const database = await engineNamed('postgres').open()
    try {
      const sent = await uploadInParts(context, database.place)
      const uploaded = await uploadThroughServer(context, database.place)
      return { runs: context.amount, figures: { ...uploaded, ...sent } }
    } finally {
      await database.close()
    }
  },
}

const uploadThroughServer = async ({ amount, folder, signal, breach, note }: ProofContext, url: string) => {
  const figures = await uploadElsewhere({ url, folder, bytes: amount * 1024 * 1024, signal })
  const growth = figures.peakBytes - figures.idleBytes
  note(`idle ${mb(figures.idleBytes)} MB, peak ${mb(figures.peakBytes)} MB, ${mb(figures.storedBytes)} MB stored in ${figures.ms} ms`)
  if (growth > allowedBytes) breach(`the process grew by ${mb(growth)} MB; at most ${mb(allowedBytes)} are allowed`)
  if (figures.storedBytes !== amount * 1024 * 1024) breach(`${figures.storedBytes} bytes are recorded, not ${amount} MiB`)
  if (figures.state !== 'validating') breach(`the asset is ${figures.state}, not validating`)
  return { mebibytes: amount, idleMb: mb(figures.idleBytes), peakMb: mb(figures.peakBytes), growthMb: mb(growth) }
}

const uploadInParts = async (context: ProofContext, url: string) => {
  const { size, breach } = context
  if (amountOnGateway(context, 1, 'sent in parts') === 0) return null
  const { webGrowthBytes, workerGrowthBytes, scratchBytes, ms } = await sendInParts(context, url)
  const growths = { 'web process': webGrowthBytes, worker: workerGrowthBytes }
  for (const [name, bytes] of Object.entries(growths))
    if (bytes > allowedBytes) breach(`the ${name} grew by ${mb(bytes)} MB; at most ${mb(allowedBytes)} are allowed`)
  if (scratchBytes > allowedScratchBytes) breach(`${scratchBytes} bytes of a file that is not decoded were on disk`)
  return {
    partsMebibytes: multipartMebibytes[size],
    webGrowthMb: mb(webGrowthBytes),
    workerGrowthMb: mb(workerGrowthBytes),
    scratchBytes,
    partsSeconds: Math.round(ms / 1000),
  }
}

const mb = (bytes: number): number => Math.round(bytes / 1_000_000)

async function uploadElsewhere(task: { url: string; folder: string; bytes: number; signal: AbortSignal }): Promise<UploadFigures> {
  const { signal, ...given } = task
  const child = fork(fileURLToPath(new URL('./memory/uploader.ts', import.meta.url)), [JSON.stringify(given)], {
    execArgv: ['--conditions=rindle-source', '--expose-gc'],
    signal,
  })
  const answered = once(child, 'message')
  const ended = once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`the uploading process ended with ${code}`)
  })
  const [figures] = await Promise.race([answered, ended.then(() => answered)])
  await ended
  return figures as UploadFigures
}
