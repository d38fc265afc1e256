import { waveform } from '../../src/core/av-recipes.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { web } from '../../src/core/presets.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { createTestRindle } from '../../src/rindle.ts'
import type { Overrides } from '../../src/settings.ts'

export interface AppOptions {
  readonly database: object
  readonly scratchFolder: string
  readonly logger: Logger
  readonly leaseSeconds: number
  readonly storages: { readonly strict: StorageAdapter; readonly heedless: StorageAdapter }
  readonly overrides: Overrides
}

/** What every process of a storm runs: profiles on a bucket that honours conditions and on one that ignores them. */
export const openApp = ({ database, scratchFolder, logger, leaseSeconds, storages, overrides }: AppOptions) => {
  const limits = { maxBytes: 100_000, quarantine: { keepSeconds: 1800 } }
  const media = { ...limits, allowMime: ['image/png'] }
  const films = { ...web({ scrubStrip: true }), peaks: waveform() }
  const variants = { thumb: image({ width: 8 }), large: image({ width: 64 }) }
  return createTestRindle(
    {
      database,
      secrets: ['a secret of the proof that is long enough'],
      baseUrl: 'http://localhost:1/media',
      ...{ scratchFolder, logger, leaseSeconds },
      profiles: {
        photo: defineProfile({ ...media, storage: storages.strict, variants }),
        open: defineProfile({ ...media, storage: storages.heedless, variants }),
        lesson: defineProfile({ ...limits, allowMime: ['video/mp4'], storage: storages.strict, variants: films }),
        plain: defineProfile({ ...media, storage: storages.heedless, unattached: { purgeAfterSeconds: 3600 } }),
      },
      slots: {
        portrait: { profile: 'photo' },
        cover: { profile: 'open' },
        gallery: { profile: 'open', many: true },
        lesson: { profile: 'lesson' },
      },
    },
    overrides,
  )
}

export type App = ReturnType<typeof openApp>
export type ProfileOfApp = 'photo' | 'open' | 'plain' | 'lesson'
export const profilesOfApp: readonly ProfileOfApp[] = ['photo', 'open', 'plain', 'lesson']
export const slotsOfApp = [
  { slot: 'portrait', profile: 'photo', many: false },
  { slot: 'cover', profile: 'open', many: false },
  { slot: 'gallery', profile: 'open', many: true },
  { slot: 'lesson', profile: 'lesson', many: false },
] as const
export type SlotOfApp = (typeof slotsOfApp)[number]
