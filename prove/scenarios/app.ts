import { image } from '../../src/core/image-recipe.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import type { GivenDatabase } from '../../src/database/open.ts'
import { createTestRindle } from '../../src/rindle.ts'
import type { Overrides } from '../../src/settings.ts'

export interface ScenarioAppOptions {
  readonly database: GivenDatabase
  readonly storage: StorageAdapter
  readonly scratchFolder: string
  readonly logger: Logger
  readonly secrets?: readonly string[]
  readonly overrides: Overrides
}

/** The app that every scenario is played in. */
export const openScenarioApp = ({ database, storage, scratchFolder, logger, secrets, overrides }: ScenarioAppOptions) => {
  const limits = { storage, maxBytes: 100_000 }
  const pictures = { ...limits, allowMime: ['image/png', 'image/jpeg'] }
  return createTestRindle(
    {
      database,
      secrets: secrets ?? ['a secret of the proof that is long enough'],
      baseUrl: 'http://localhost:1/media',
      scratchFolder,
      logger,
      profiles: {
        photo: defineProfile({ ...pictures, variants: { thumb: image({ width: 8 }), large: image({ width: 64 }) } }),
        paper: defineProfile({ ...limits, kind: 'file', allowMime: ['text/plain', 'application/pdf'] }),
        brief: defineProfile({ ...pictures, quarantine: { keepSeconds: 600 }, unattached: { purgeAfterSeconds: 3600 } }),
      },
      slots: { avatar: { profile: 'photo' }, gallery: { profile: 'photo', many: true }, paper: { profile: 'paper' } },
    },
    overrides,
  )
}

export type ScenarioRindle = ReturnType<typeof openScenarioApp>
