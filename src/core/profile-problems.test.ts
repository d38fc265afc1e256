import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryLike } from '../../test/services/storage-shape.ts'
import { poster, video } from './av-recipes.ts'
import { image } from './image-recipe.ts'
import { problemsOfProfile } from './profile-problems.ts'

const least = { storage: memoryLike('memory'), allowMime: ['image/png'], maxBytes: 1000 }

/** Of definitions that the compiler would refuse, as a program without types may write them. */
const problemsOf = (options: unknown): readonly string[] => Reflect.apply(problemsOfProfile, undefined, [options])

const own = (name: string, method: string): object => ({ name, [method]: async () => undefined })

describe('the problems of a definition', () => {
  it('are reported all at once', () => {
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
      'images where no picture comes in',
      { allowMime: ['video/mp4', 'audio/x-m4a'], variants: { thumb: image({ width: 1 }) } },
      /^variants\.thumb: image\(\) is made from pictures, and allowMime takes none$/,
    ],
    ['films made of pictures', { variants: { web: video() } }, /^variants\.web: video\(\) is made from films, and allowMime takes none$/],
    [
      'frames of what only sounds',
      { allowMime: ['audio/mpeg'], variants: { first: poster() } },
      /^variants\.first: poster\(\) is made from films/,
    ],
    [
      'a recipe that is wrong',
      { allowMime: ['video/mp4'], variants: { web: video({ crf: 99 }) } },
      /^variants\.web\.crf must be a whole number/,
    ],
    ['what is no content type', { allowMime: ['png'] }, /is no content type/],
    ['types that are no list', { allowMime: 'image/png' }, /must list/],
    ['an extension that no allowed type has', { allowExtensions: ['gif'] }, /\.gif belongs to none/],
    ['an empty list of extensions', { allowExtensions: [] }, /at least one extension/],
    ['an unknown kind', { kind: 'medio' }, /did you mean media/],
    ['variants of files', { kind: 'file', allowMime: ['application/pdf'], variants: { thumb: image({ width: 1 }) } }, /cannot make thumb/],
    ['a week and a second', { delivery: { signedUrlTtlSeconds: 604_801 } }, /to 604800/],
    ['a storage that is only a name', { storage: 's3' }, /must be a storage adapter/],
    ['a film of a type that is not probed', { allowMime: ['video/x-flv'] }, /video\/x-flv is not decoded here .*video\/mp4/],
    [
      'a codec that is not decoded',
      { allowCodecs: ['h264', 'h265'] },
      /^allowCodecs: "h265" is not decoded here .*; did you mean h26\d\?$/,
    ],
    ['no codec at all', { allowCodecs: [] }, /^allowCodecs must list at least one/],
    ['codecs that are no list', { allowCodecs: 'h264' }, /^allowCodecs must list/],
    ['half a frame a second', { maxFramesPerSecond: 0.5 }, /^maxFramesPerSecond must be a whole number/],
    ['more streams than are counted', { maxStreams: 1_001 }, /^maxStreams must be a whole number from 1 to 1000$/],
    ['SVG that nobody asked to draw', { allowMime: ['image/svg+xml'] }, /refused by default/],
    ['another way with SVG', { svg: 'draw' }, /'refuse' or 'rasterize'/],
    ['metadata taken out of files', { kind: 'file', originals: { metadata: 'strip' } }, /never rewrites a file/],
    ['scanners that are no list', { scanners: own('a', 'scan') }, /^scanners must be a list/],
    ['two scanners of one name', { scanners: [own('a', 'scan'), own('a', 'scan')] }, /different names/],
    ['a scanner that does not scan', { scanners: [own('a', 'look')] }, /^scanners\[0\] must have a method scan$/],
    ['an analyzer without a name', { analyzer: own('', 'analyze') }, /^analyzer\.name must be letters/],
    ['a processor of files', { kind: 'file', processor: own('a', 'process') }, /^processor: .* makes no variants$/],
    ['no time for the app', { processor: { ...own('a', 'process'), timeoutSeconds: 0 } }, /^processor\.timeoutSeconds must be/],
    ['nothing at all', { storage: undefined, allowMime: undefined, maxBytes: undefined }, /storage must be/],
  ]
  for (const [what, options, pattern] of refused) {
    it(`refuses ${what}`, () => assert.match(problemsOf({ ...least, ...options }).join('\n'), pattern))
  }
})

describe('the problems of a recipe', () => {
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

  it('are none where every side and point is in bounds', () =>
    assert.deepEqual(problemsOfRecipe(image({ height: 1, format: 'png', focal: { x: 0, y: 1 } })), []))
})
