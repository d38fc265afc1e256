import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryLike } from '../../test/services/storage-shape.ts'
import { isRindleError } from './errors.ts'
import { image } from './image-recipe.ts'
import { defineProfile } from './profile-definition.ts'

const storage = memoryLike('memory')
const least = { storage, allowMime: ['image/png'], maxBytes: 1000 }

/** Definitions that the compiler would refuse, as a program without types may write them. */
const problemsOf = (options: object): readonly string[] => {
  try {
    Reflect.apply(defineProfile, undefined, [options])
  } catch (err) {
    if (isRindleError(err) && err.code === 'profile_invalid') return err.details.problems
    throw err
  }
  return []
}

describe('define a profile', () => {
  it('takes audio and video that are probed here, and leaves variants of them to the app’s own code', () => {
    const played = defineProfile({ ...least, allowMime: ['video/mp4', 'audio/mp3', 'audio/ogg', 'video/quicktime'] })
    assert.deepEqual(played.allowMime, ['video/mp4', 'audio/mpeg', 'audio/ogg', 'video/quicktime'])
    assert.equal(played.maxDurationSeconds, 7_200)
    assert.throws(() => defineProfile({ ...least, allowMime: ['video/x-flv'] }), /video\/x-flv is not decoded here .*video\/mp4/)
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

  it('reports every problem at once', () => {
    const problems = problemsOf({
      allowMime: [],
      maxByte: 1,
      maxPixels: 0,
      variants: { 'big one': image({ width: 10 }), small: image({ mode: 'fill', width: 5, quality: 0 }), odd: { kind: 'sculpture' } },
      delivery: { publik: true, signedUrlTtlSeconds: 1.5, authorizer: {} },
      quarantine: null,
      unattached: { purgeAfterSeconds: -1 },
    })
    const expected = [
      /^maxByte is not an option; did you mean maxBytes\?$/,
      /^storage must be/,
      /^allowMime is empty/,
      /^maxBytes must be/,
      /^maxPixels must be/,
      /^variants\.big one: names begin/,
      /^variants\.small: mode fill needs both/,
      /^variants\.small\.quality must be/,
      /^variants\.odd must be a recipe/,
      /^delivery\.publik is not an option; did you mean public\?$/,
      /^delivery\.signedUrlTtlSeconds must be/,
      /^delivery\.authorizer must have/,
      /^quarantine must be/,
      /^unattached\.purgeAfterSeconds must be/,
    ]
    assert.equal(problems.length, expected.length, problems.join('\n'))
    expected.forEach((pattern, index) => assert.match(problems[index] ?? '', pattern))
  })

  const refused: readonly [string, object, RegExp][] = [
    ['a type that is not decoded', { allowMime: ['application/pdf'] }, /kind: 'file'/],
    ['a pattern', { allowMime: ['image/*'] }, /is a pattern/],
    [
      'variants of audio and video',
      { allowMime: ['image/png', 'video/mp4', 'audio/x-m4a'], variants: { thumb: image({ width: 1 }) } },
      /^variants: image\(\) is made from pictures, so thumb cannot be made from video\/mp4, audio\/x-m4a; .*profile of their own/,
    ],
    ['what is no content type', { allowMime: ['png'] }, /is no content type/],
    ['types that are no list', { allowMime: 'image/png' }, /must list/],
    ['an extension that no allowed type has', { allowExtensions: ['gif'] }, /\.gif belongs to none/],
    ['an empty list of extensions', { allowExtensions: [] }, /at least one extension/],
    ['an unknown kind', { kind: 'medio' }, /did you mean media/],
    ['variants of files', { kind: 'file', allowMime: ['application/pdf'], variants: { thumb: image({ width: 1 }) } }, /cannot make thumb/],
    ['a week and a second', { delivery: { signedUrlTtlSeconds: 604_801 } }, /to 604800/],
    ['a storage that is only a name', { storage: 's3' }, /must be a storage adapter/],
    ['nothing at all', { storage: undefined, allowMime: undefined, maxBytes: undefined }, /storage must be/],
  ]
  for (const [what, options, pattern] of refused) {
    it(`refuses ${what}`, () => assert.match(problemsOf({ ...least, ...options }).join('\n'), pattern))
  }

  it('takes any type in a profile of files', () => {
    const profile = defineProfile({ storage, kind: 'file', allowMime: ['application/pdf', 'text/csv', 'application/x-own'], maxBytes: 1 })
    assert.equal(profile.allowMime.length, 3)
  })
})

describe('recipes in a profile', () => {
  const problemsOfRecipe = (recipe: object): readonly string[] =>
    problemsOf({ ...least, variants: { v: { ...image({ width: 1 }), ...recipe } } })
  const refused: readonly [string, object, RegExp][] = [
    ['fit without a side', { width: null }, /needs a width or a height/],
    ['crop without a height', { mode: 'crop' }, /mode crop needs both/],
    ['half a pixel', { width: 0.5 }, /v\.width must be/],
    ['an unknown mode', { mode: 'cropp' }, /did you mean crop/],
    ['an unknown format', { format: 'jpg' }, /did you mean jpeg/],
    ['quality 101', { quality: 101 }, /v\.quality/],
    ['effort 10', { effort: 10 }, /v\.effort/],
    ['a colour by name', { background: 'white' }, /v\.background/],
    ['a focal point outside', { focal: { x: 0.5, y: 1.1 } }, /v\.focal/],
    ['an unknown key', { widht: 3 }, /widht is not an option; did you mean width/],
    ['animated: 1', { animated: 1 }, /v\.animated/],
  ]
  for (const [what, recipe, pattern] of refused) it(`refuses ${what}`, () => assert.match(problemsOfRecipe(recipe).join('\n'), pattern))

  it('have quality 80, AVIF 50, and what was written otherwise', () => {
    assert.equal(image({ width: 1 }).quality, 80)
    assert.equal(image({ width: 1, format: 'avif' }).quality, 50)
    assert.equal(image({ width: 1, format: 'avif', quality: 9 }).quality, 9)
    assert.deepEqual(problemsOfRecipe(image({ height: 1, format: 'png', focal: { x: 0, y: 1 } })), [])
  })
})
