import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { audio, poster, preview, problemsOfAvRecipe, strip, video, waveform } from './av-recipes.ts'
import type { Recipe } from './recipe.ts'

describe('recipes for audio and video', () => {
  it('have every default filled in, and what is given takes its place', () => {
    assert.deepEqual(video(), { kind: 'video', width: 1280, height: 720, crf: 23, maxBitrateKbps: 2_500, audioBitrateKbps: 128 })
    assert.deepEqual(video({ preset: 'web_480p', crf: 28, width: undefined as never }), {
      ...{ kind: 'video', width: 854, height: 480, crf: 28 },
      ...{ maxBitrateKbps: 1_200, audioBitrateKbps: 128 },
    })
    assert.deepEqual(audio({ preset: 'mp3_128k', channels: 1, loudness: 'two-pass' }), {
      ...{ kind: 'audio', format: 'mp3', bitrateKbps: 128, channels: 1, loudness: 'two-pass' },
    })
    assert.deepEqual(waveform(), { kind: 'waveform', length: 1_000 })
    assert.equal(poster({ at: 12.5 }).at, 12.5)
    assert.equal(strip().everySeconds, null)
    assert.equal(preview({ seconds: 2 }).seconds, 2)
  })

  const problems: readonly (readonly [what: string, recipe: Exclude<Recipe, { kind: 'image' }>, said: string])[] = [
    ['a preset there is not', video({ preset: 'web_721p' as never }), 'v.preset must be web_720p, web_480p; did you mean web_720p?'],
    ['an option there is not', video({ codec: 'h264' } as never), 'v.codec is not an option'],
    ['a side that is no length', video({ width: 0 }), 'v.width must be a whole number of pixels from 2 to 7680'],
    ['a factor beyond the scale', video({ crf: 52 }), 'v.crf must be a whole number of steps from 1 to 51'],
    ['a factor that players cannot play', video({ crf: 0 }), 'v.crf must be a whole number of steps from 1 to 51'],
    ['three channels', audio({ channels: 3 as never }), 'v.channels must be 1, 2, null'],
    [
      'a word for loudness',
      audio({ loudness: 'two_pass' as never }),
      'v.loudness must be keep, one-pass, two-pass; did you mean two-pass?',
    ],
    ['a time before the film', poster({ at: -1 }), 'v.at must be a number of seconds from 0 to 86400, or scene or first'],
    ['frames that follow at once', strip({ everySeconds: 0 }), 'v.everySeconds must be a number of seconds from 0.1 to 3600, or null'],
    ['a waveform without pairs', waveform({ length: 0 }), 'v.length must be a whole number of pairs from 10 to 10000'],
    ['a preview without end', preview({ seconds: 31 }), 'v.seconds must be a number of seconds from 0.5 to 30'],
  ]
  for (const [what, recipe, said] of problems)
    it(`say what is wrong with ${what}`, () => assert.deepEqual(problemsOfAvRecipe(recipe, 'v'), [said]))

  it('have nothing wrong with them as they come', () => {
    for (const recipe of [video(), video({ preset: 'web_480p' }), audio(), waveform(), poster(), strip(), preview()])
      assert.deepEqual(problemsOfAvRecipe(recipe, 'v'), [])
  })
})
