import { local } from '../../src/adapters/storage/local.ts'
import { poster, strip, video, waveform } from '../../src/core/av-recipes.ts'
import { image } from '../../src/core/image-recipe.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import type { GivenDatabase } from '../../src/database/open.ts'
import { startWorker } from '../../src/doors/worker/start-worker.ts'
import type { Worker } from '../../src/doors/worker/worker.ts'
import { type AnyRindle, contextOf } from '../../src/context.ts'
import { createRindle } from '../../src/rindle.ts'

/** What every process of the proof agrees on. The lease may be shorter than createRindle takes, so workers are started with it. */
export interface Scene {
  /** Where the objects are. */
  readonly directory: string
  readonly scratchFolder: string
  readonly leaseSeconds: number
}

export const openScene = (database: GivenDatabase, { directory, scratchFolder }: Scene) =>
  createRindle({
    profiles: {
      photo: defineProfile({
        storage: local({ directory }),
        allowMime: ['image/jpeg'],
        maxBytes: 30_000_000,
        variants: { thumb: image({ width: 128, format: 'webp' }), large: image({ width: 2048, format: 'webp', effort: 6 }) },
      }),
      lesson: defineProfile({
        ...{ storage: local({ directory }), allowMime: ['video/mp4'], maxBytes: 300_000_000 },
        variants: { poster: poster(), web: video({ preset: 'web_480p' }), wave: waveform(), scrub: strip() },
      }),
    },
    database,
    secrets: ['a secret of the proof that is long enough'],
    baseUrl: 'http://localhost:1/media',
    scratchFolder,
  })

/** What `rindle.work()` does, with the scene's own lease. */
export const workIn = (rindle: AnyRindle, { leaseSeconds }: Scene): Worker =>
  startWorker({ ...contextOf(rindle), leaseSeconds }, { concurrency: 2 })
