import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../adapters/storage/memory.ts'
import { contentTypes } from './content-type.ts'
import { isRindleError } from './errors.ts'
import { stripperOf, strippableTypes } from './metadata-policy.ts'
import { defineProfile } from './profile-definition.ts'

const define = (allowMime: string, metadata?: 'keep' | 'strip' | 'strip-location') =>
  defineProfile({ storage: memory(), allowMime: [allowMime], maxBytes: 1000, ...(metadata ? { originals: { metadata } } : {}) })

const problemsOf = (make: () => unknown): readonly string[] => {
  try {
    make()
    return []
  } catch (err) {
    if (isRindleError(err) && err.code === 'profile_invalid') return err.details.problems
    throw err
  }
}

describe('who takes metadata out of what', () => {
  it('is said of types by their canonical name, whatever they are called', () => {
    for (const type of [...strippableTypes['built-in'], ...strippableTypes.ffmpeg])
      assert.ok(
        contentTypes.some((entry) => entry.type === type),
        type,
      )
    assert.equal(stripperOf('image/JPG'), 'built-in')
    assert.equal(stripperOf('audio/mp3; rate=44100'), 'ffmpeg')
    assert.equal(stripperOf('video/x-msvideo'), null)
  })

  it('is the library for pictures and films of phones, so that nothing else has to be installed', () => {
    for (const type of ['image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/avif', 'video/mp4', 'video/quicktime'])
      assert.equal(stripperOf(type), 'built-in', type)
  })

  it('is nobody for some, which a profile takes only as they came', () => {
    for (const metadata of [undefined, 'strip-location', 'strip'] as const) {
      const [problem, ...more] = problemsOf(() => define('video/x-msvideo', metadata))
      assert.deepEqual(more, [])
      assert.match(problem ?? '', /video\/x-msvideo.*originals: \{ metadata: 'keep' \}/)
    }
    assert.deepEqual(
      problemsOf(() => define('video/x-msvideo', 'keep')),
      [],
    )
    assert.deepEqual(
      problemsOf(() => define('video/mp4')),
      [],
    )
  })
})
