import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { contextOf } from '../../src/context.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { jobs } from '../../src/doors/worker/jobs.ts'
import { runWorker } from '../../src/doors/worker/worker.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { chosenEngine, withOneServer } from '../database.ts'
import type { ProofContext } from '../harness.ts'
import type { Tagged } from './tagged-file.ts'
import { canariesIn, isPlace } from './judge.ts'
import { playedRecipes } from './played.ts'
import { tagsOf } from './tools.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

const codeOf = (err: unknown): string => (isRindleError(err) ? err.code : String(err))

/** Files through a whole Rindle: uploaded, promoted by a worker, and read back from storage by the keys of their rows. @returns how many */
export const throughRindle = (context: ProofContext, files: readonly Tagged[]): Promise<number> =>
  withOneServer(async () => {
    const folder = join(context.folder, 'whole')
    mkdirSync(folder)
    const database = await chosenEngine().open()
    const store = memory({ name: 'privacy' })
    const common = { storage: store, maxBytes: 20_000_000 }
    const types = [...new Set(['image/png', 'video/mp4', ...files.map(({ source }) => source.type)])]
    const isPicture = (type: string): boolean => type.startsWith('image/')
    const rindle = createTestRindle(
      {
        database: database.given,
        secrets: ['a secret of the proof that is long enough'],
        baseUrl: 'http://localhost:1/media',
        scratchFolder: folder,
        logger: silent,
        profiles: {
          photo: defineProfile({ ...common, allowMime: types.filter(isPicture), variants: { small: image({ width: 40 }) } }),
          film: defineProfile({ ...common, allowMime: types.filter((type) => !isPicture(type)), variants: playedRecipes('video/mp4') }),
        },
      },
      { jail: createJail({ logger: silent, concurrency: 2 }) },
    )
    await rindle.ready()
    const worker = runWorker(contextOf(rindle), jobs, { concurrency: 2 })
    try {
      const paths: string[] = []
      for (const { source, path, tagging, mayBeRefused = false } of files) {
        const profile = isPicture(source.type) ? 'photo' : 'film'
        const asset = await rindle.upload(profile, await readFile(path), { filename: `${source.name}.${source.extension}` })
        const end = await rindle.settled(asset.id, { timeoutMs: 120_000 }).then(({ state }) => state, codeOf)
        if (mayBeRefused && end === 'metadata_not_removable') continue
        if (end !== 'ready' && end !== 'available') context.breach(`${source.name} ${tagging} ends ${end}`)
        const keys = await database.query(
          `select key from rindle.media_objects where asset_id = $1 and state = 'present' and role in ('original', 'variant')`,
          [asset.id],
        )
        for (const [index, { key }] of keys.entries()) {
          const served = join(folder, `${asset.id}-${index}.${String(key).split('.').at(-1)}`)
          await writeFile(served, new Uint8Array(await new Response((await store.read(String(key)))?.body).arrayBuffer()))
          paths.push(served)
        }
      }
      const tags = await tagsOf(context.folder, paths)
      for (const path of paths) {
        const places = [...(tags.get(path) ?? []).filter(isPlace).map(({ name }) => name), ...(await canariesIn(path))]
        if (places.length > 0) context.breach(`${path} is served with ${places.join(', ')}`)
      }
      return paths.length
    } finally {
      await worker.stop()
      await rindle.close()
      await database.close()
    }
  })
