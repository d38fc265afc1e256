import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryLike } from '../../test/services/storage-shape.ts'
import { isRindleError } from './errors.ts'
import { image } from './image-recipe.ts'
import { defineProfile } from './profile-definition.ts'
import { visitRulesOf } from './visit-rules.ts'

const storage = memoryLike('memory')
const least = { storage, allowMime: ['image/png'], maxBytes: 1000 }

describe('define a profile', () => {
  it('takes audio and video that are probed here, and leaves variants of them to the app’s own code', () => {
    const played = defineProfile({ ...least, allowMime: ['video/mp4', 'audio/mp3', 'audio/ogg', 'video/quicktime'] })
    assert.deepEqual(played.allowMime, ['video/mp4', 'audio/mpeg', 'audio/ogg', 'video/quicktime'])
    assert.equal(played.maxDurationSeconds, 7_200)
    const narrow = defineProfile({
      ...least,
      allowMime: ['video/mp4'],
      maxStreams: 2,
      maxFramesPerSecond: 60,
      allowCodecs: ['h264', 'aac'],
    })
    assert.deepEqual([narrow.maxStreams, narrow.maxFramesPerSecond, narrow.allowCodecs], [2, 60, ['h264', 'aac']])
    const { maxStreams, maxFramesPerSecond, allowCodecs } = visitRulesOf(narrow).limits
    assert.deepEqual([maxStreams, maxFramesPerSecond, allowCodecs], [2, 60, ['h264', 'aac']])
    const processor = { name: 'own', process: async () => undefined }
    const variants = { poster: image({ width: 320 }) }
    assert.equal(defineProfile({ ...least, allowMime: ['video/mp4'], variants, processor }).kind, 'media')
  })

  it('fills in every default', () => {
    const profile = defineProfile(least)
    assert.deepEqual(
      { ...profile, storage: null },
      {
        kind: 'media',
        storage: null,
        allowMime: ['image/png'],
        allowExtensions: null,
        maxBytes: 1000,
        maxPixels: 64_000_000,
        maxSidePixels: 16_383,
        maxFrames: 300,
        maxDurationSeconds: 7_200,
        maxStreams: 32,
        maxFramesPerSecond: 1_000,
        allowCodecs: null,
        originals: { metadata: 'strip-location' },
        svg: 'refuse',
        scanners: [],
        analyzer: null,
        processor: null,
        variants: {},
        digests: {},
        delivery: { public: false, signedUrlTtlSeconds: 900, authorizer: null },
        quarantine: { keepSeconds: 604_800 },
        unattached: { purgeAfterSeconds: null },
      },
    )
    assert.ok(Object.isFrozen(profile) && Object.isFrozen(profile.delivery) && Object.isFrozen(profile.variants))
  })

  it('writes types and extensions in one way', () => {
    const profile = defineProfile({ ...least, allowMime: ['image/JPG', 'image/jpeg', 'image/png'], allowExtensions: ['.JPG', 'png'] })
    assert.deepEqual(profile.allowMime, ['image/jpeg', 'image/png'])
    assert.deepEqual(profile.allowExtensions, ['jpg', 'png'])
  })

  it('is refused with every problem that it has', () =>
    assert.throws(
      () => defineProfile({ ...least, maxBytes: 0, maxFrames: 0 }),
      (err: unknown) => isRindleError(err) && err.code === 'profile_invalid' && err.details.problems.length === 2,
    ))

  it('takes any type in a profile of files', () => {
    const profile = defineProfile({ storage, kind: 'file', allowMime: ['application/pdf', 'text/csv', 'application/x-own'], maxBytes: 1 })
    assert.equal(profile.allowMime.length, 3)
  })
})

describe('a recipe', () => {
  it('has quality 80, AVIF 50, and what was written otherwise', () => {
    assert.equal(image({ width: 1 }).quality, 80)
    assert.equal(image({ width: 1, format: 'avif' }).quality, 50)
    assert.equal(image({ width: 1, format: 'avif', quality: 9 }).quality, 9)
  })
})
