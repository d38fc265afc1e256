import { writeFile } from 'node:fs/promises'
import { waveform } from '../../src/core/av-recipes.ts'
import type { Clock } from '../../src/core/clock.ts'
import { RindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Analyzer } from '../../src/core/ports/analyzer.ts'
import type { Authorizer } from '../../src/core/ports/authorizer.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Processor } from '../../src/core/ports/processor.ts'
import type { Scanner } from '../../src/core/ports/scanner.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import { web } from '../../src/core/presets.ts'
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

/** The app that every scenario is played in. What its own code does to a file is said by the beginning of the file's name. */
export const openScenarioApp = ({ database, storage, scratchFolder, logger, secrets, overrides }: ScenarioAppOptions) => {
  const limits = { storage, maxBytes: 100_000 }
  const pictures = { ...limits, allowMime: ['image/png', 'image/jpeg'] }
  const films = { ...limits, allowMime: ['video/mp4'], variants: { ...web({ scrubStrip: true }), peaks: waveform() } }
  const variants = { thumb: image({ width: 8 }), large: image({ width: 64 }) }
  return createTestRindle(
    {
      database,
      secrets: secrets ?? ['a secret of the proof that is long enough'],
      baseUrl: 'http://localhost:1/media',
      scratchFolder,
      logger,
      // A call that hangs for hours renews its lease so much less often.
      leaseSeconds: 300,
      profiles: {
        photo: defineProfile({ ...pictures, variants }),
        paper: defineProfile({ ...limits, kind: 'file', allowMime: ['text/plain', 'application/pdf'] }),
        brief: defineProfile({ ...pictures, quarantine: { keepSeconds: 600 }, unattached: { purgeAfterSeconds: 3600 } }),
        guarded: defineProfile({ ...pictures, delivery: { authorizer: doorkeeper } }),
        scanned: defineProfile({ ...pictures, scanners: [watchman()] }),
        framed: defineProfile({
          ...pictures,
          variants: { frame: image({ width: 8 }) },
          analyzer: lens,
          processor: framer(overrides.clock),
        }),
        lesson: defineProfile(films),
      },
      slots: {
        avatar: { profile: 'photo' },
        gallery: { profile: 'photo', many: true },
        paper: { profile: 'paper' },
        lesson: { profile: 'lesson' },
      },
    },
    overrides,
  )
}

export type ScenarioRindle = ReturnType<typeof openScenarioApp>

/** Finds something in files named `eicar…`, and does not answer when it is first asked about one named `shy…`. */
const watchman = (): Scanner => {
  const isFirst = firstTimes()
  return {
    name: 'watchman',
    async scan({ assetId, filename }) {
      if (filename.startsWith('shy') && isFirst(assetId)) throw new RangeError('the watchman is out')
      return filename.startsWith('eicar') ? { clean: false, threat: 'Eicar' } : { clean: true }
    },
  }
}

/** Lets everybody in but strangers, and is taken ill by those who are broken. */
const doorkeeper: Authorizer = {
  authorize({ actor }) {
    const about = typeof actor === 'object' && actor !== null ? Object.keys(actor) : []
    if (about.includes('broken')) throw new RangeError('the doorkeeper is ill')
    return !about.includes('stranger')
  },
}

const lens: Analyzer = {
  name: 'lens',
  analyze: async ({ byteSize }) => ({ lens: 'wide', byteSize }),
}

const slowMs = 20_000

/**
 * Fails for good with files named `never…`, the first time with those named `once…` or `slow…`, over which it takes its time from then on, and
 * has to be asked twice about those named `again…`.
 */
const framer = (clock: Clock | undefined): Processor => {
  const isFirst = firstTimes()
  return {
    name: 'framer',
    async process({ file: { assetId, filename }, variant, destination, signal }) {
      const [kind = ''] = filename.split(' ', 1)
      const isRefused = kind === 'never' || (['once', 'slow'].includes(kind) && isFirst(assetId))
      if (isRefused) throw new RindleError('variant_failed', { variant })
      if (kind === 'slow') await clock?.sleep(slowMs, signal)
      if (kind === 'again' && isFirst(assetId)) throw new RangeError('the framer has no frame')
      await writeFile(destination, Buffer.from('89504e470d0a1a0a0102030405060708', 'hex'))
    },
  }
}

const firstTimes = () => {
  const seen = new Set<string>()
  return (id: string): boolean => seen.size < seen.add(id).size
}
