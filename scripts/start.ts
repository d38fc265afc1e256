import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect, parseArgs } from 'node:util'
import { isRindleError } from 'rindle'
import { build } from 'vite'
import { bucketOfEnvironment, trialBucket } from '../examples/cohort/bucket.ts'
import { type CohortOptions, startCohort } from '../examples/cohort/server.ts'
import { gatewayIsMissing, hasGateway, startGateway } from './gateway.ts'

const cohortFolder = fileURLToPath(new URL('../examples/cohort/', import.meta.url))
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env['PORT'] ?? '3000' },
    folder: { type: 'string', default: `${cohortFolder}.data` },
    s3: { type: 'boolean', default: false },
  },
})

/** Where Cohort keeps its things, and a sentence about it. */
type Place = Omit<CohortOptions, 'port'> & { readonly words?: string }

/** What is running or lies about by now, with what ends it. */
const ends: (() => Promise<unknown>)[] = []
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void finish(0))

// Builds the page of the demo app and serves it until it is interrupted. Its database and its files stay in a folder that git ignores;
// with --s3 the files lie in the bucket that the environment names, or in one on a server of our own that forgets everything.
try {
  const [{ words, ...place }] = await Promise.all([placeOf(resolve(values.folder)), build({ configFile: `${cohortFolder}vite.config.ts` })])
  const cohort = await startCohort({ ...place, port: Number(values.port) })
  ends.push(() => cohort.stop())
  console.log(`Cohort is at ${cohort.url}${words === undefined ? '' : `\n${words}`}`)
} catch (err) {
  const isPortTaken = err instanceof Error && 'code' in err && err.code === 'EADDRINUSE'
  if (isPortTaken) await stop(`Port ${values.port} is taken: stop what holds it, or choose another: npm start -- --port 3001`)
  await stop(isRindleError(err) ? err.message : inspect(err))
}

async function placeOf(folder: string): Promise<Place> {
  if (!values.s3) return { folder }
  const { S3_BUCKET, S3_ENDPOINT, AWS_REGION } = process.env
  if ((S3_BUCKET || S3_ENDPOINT) && !(S3_BUCKET && AWS_REGION))
    return stop('A bucket of yours is named by S3_BUCKET and AWS_REGION together, and by S3_ENDPOINT where it is not on AWS.')
  const storage = bucketOfEnvironment(process.env)
  if (!storage) return throwAwayPlace(folder)
  await storage.head('staging/none')
  return {
    folder: join(folder, storage.id.replaceAll(/[^A-Za-z0-9.-]/g, '-')),
    storageFor: async () => storage,
    words: `Its pictures lie in ${storage.id}, whose CORS rules must let pages of this address send (docs/guides/storage.md).`,
  }
}

/** A database that outlived the bucket would promise pictures that are gone: it is as new as the bucket, and goes with it. */
async function throwAwayPlace(folder: string): Promise<Place> {
  spawnSync(process.execPath, [join(import.meta.dirname, 'setup.mjs'), '--gateway'], { stdio: 'inherit' })
  if (!hasGateway()) return stop(`There is no S3 server (${gatewayIsMissing}); S3_BUCKET and AWS_REGION name a bucket of yours instead.`)
  const gateway = await startGateway({ bytes: 2 ** 30 })
  ends.push(() => gateway.stop())
  await mkdir(folder, { recursive: true })
  const fresh = await mkdtemp(join(folder, 's3-'))
  ends.push(() => rm(fresh, { recursive: true, force: true, maxRetries: 5 }))
  return {
    folder: fresh,
    storageFor: (url) => trialBucket(gateway, 'cohort', [url, url.replace('127.0.0.1', 'localhost')]),
    words: `Its pictures lie in the bucket cohort at ${gateway.endpoint}. When it stops, that server and this visit's database are thrown away.`,
  }
}

function stop(words: string): Promise<never> {
  console.error(words)
  return finish(1)
}

/** In the reverse order of their beginning. */
async function finish(code: number): Promise<never> {
  for (const end of ends.splice(0).reverse()) await end()
  process.exit(code)
}
