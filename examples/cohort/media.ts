import { audio, createRindle, defineProfile, image, type StorageAdapter, web } from 'rindle'
import { pglite } from 'rindle/pglite'

export const avatar = (storage: StorageAdapter) =>
  defineProfile({
    storage,
    allowMime: ['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif', 'image/heic'],
    maxBytes: 25_000_000,
    delivery: { public: false, signedUrlTtlSeconds: 900 },
    variants: {
      thumb: image({ mode: 'fill', width: 128, height: 128, format: 'webp' }),
      portrait: image({ mode: 'fill', width: 512, height: 512, format: 'webp' }),
      large: image({ mode: 'fit', width: 1024, height: 1024 }),
    },
  })

/** A film, or a recording that has no pictures: the first has all of the variants, the second its sound. */
export const lesson = (storage: StorageAdapter) =>
  defineProfile({
    storage,
    allowMime: ['video/mp4', 'video/quicktime', 'video/webm', 'audio/mpeg', 'audio/mp4', 'audio/wav', 'audio/flac'],
    maxBytes: 500_000_000,
    maxDurationSeconds: 3_600,
    delivery: { public: false },
    unattached: { purgeAfterSeconds: 86_400 },
    variants: { ...web({ scrubStrip: true }), sound: audio() },
  })

/** Everything Cohort needs to know about media, in one place. */
export const createMedia = (options: {
  readonly folder: string
  readonly storage: StorageAdapter
  readonly baseUrl: string
  readonly secret: string
}) => {
  const database = pglite(`${options.folder}/db`)
  const rindle = createRindle({
    profiles: { avatar: avatar(options.storage), lesson: lesson(options.storage) },
    slots: { avatar: { profile: 'avatar' }, recording: { profile: 'lesson' } },
    database,
    secrets: [options.secret],
    baseUrl: options.baseUrl,
  })
  return { rindle, database }
}

export type Media = ReturnType<typeof createMedia>['rindle']
