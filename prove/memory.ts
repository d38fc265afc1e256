import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { engines } from '../test/services/engines.ts'
import type { UploadFigures } from './memory/uploader.ts'
import type { Proof } from './harness.ts'

const allowedBytes = 100_000_000

/** A large upload through the app's own process must not become a large process: the app of a memory limit would be killed with it. */
export const memory: Proof = {
  name: 'memory',
  means: 'a server-side upload of 2 GiB keeps the web process within 100 MB of idle',
  unit: 'MiB',
  amount: { ci: 512, full: 2048 },
  async run({ amount, folder, signal, breach, note }) {
    const engine = engines.find(({ name }) => name === 'postgres')
    if (!engine || engine.skip) throw new Error(`PostgreSQL is needed: ${engine ? engine.skip : 'no such engine'}`)
    const database = await engine.open()
    try {
      const figures = await uploadElsewhere({ url: database.place, folder, bytes: amount * 1024 * 1024, signal })
      const growth = figures.peakBytes - figures.idleBytes
      note(`idle ${mb(figures.idleBytes)} MB, peak ${mb(figures.peakBytes)} MB, ${mb(figures.storedBytes)} MB stored in ${figures.ms} ms`)
      if (growth > allowedBytes) breach(`the process grew by ${mb(growth)} MB; at most ${mb(allowedBytes)} are allowed`)
      if (figures.storedBytes !== amount * 1024 * 1024) breach(`${figures.storedBytes} bytes are recorded, not ${amount} MiB`)
      if (figures.state !== 'validating') breach(`the asset is ${figures.state}, not validating`)
      return { runs: 1, figures: { mebibytes: amount, idleMb: mb(figures.idleBytes), peakMb: mb(figures.peakBytes), growthMb: mb(growth) } }
    } finally {
      await database.close()
    }
  },
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
