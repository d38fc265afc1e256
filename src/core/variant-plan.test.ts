import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../adapters/storage/memory.ts'
import { audio, poster, preview, strip, video, waveform } from './av-recipes.ts'
import { image } from './image-recipe.ts'
import { defineProfile } from './profile-definition.ts'
import { extensionOfRecipe, type Material, planVariants, typeOfRecipe } from './variant-plan.ts'

describe('the plan for a file', () => {
  const profile = defineProfile({
    storage: memory({ name: 'plan' }),
    allowMime: ['image/jpeg', 'video/mp4', 'audio/mpeg'],
    maxBytes: 1_000,
    variants: {
      thumb: image({ width: 1 }),
      first: poster(),
      web: video(),
      scrub: strip(),
      moves: preview(),
      song: audio(),
      wave: waveform(),
    },
  })
  const planned = (material: Material): readonly string[] => planVariants(profile, material).map(({ name, job }) => `${name} ${job}`)

  it('has images of pictures, frames and films of what moves, and sound of what sounds', () => {
    assert.deepEqual(planned({ kind: 'image', hasVideoTrack: null, hasAudioTrack: null }), ['thumb build_variants'])
    const film = ['first make_poster', 'moves transcode_asset', 'scrub transcode_asset']
    assert.deepEqual(planned({ kind: 'video', hasVideoTrack: true, hasAudioTrack: false }), [...film, 'web transcode_asset'])
    const sound = ['song transcode_asset', 'wave transcode_asset']
    assert.deepEqual(planned({ kind: 'audio', hasVideoTrack: false, hasAudioTrack: true }), sound)
    assert.deepEqual(
      planned({ kind: 'video', hasVideoTrack: true, hasAudioTrack: true }),
      [...film, ...sound, 'web transcode_asset'].toSorted(),
    )
  })

  it("has all there are for the app's own processor, by one job", () => {
    const own = { ...profile, processor: { name: 'own', process: async () => undefined } }
    const jobs = planVariants(own, { kind: 'file', hasVideoTrack: null, hasAudioTrack: null }).map(({ job }) => job)
    assert.deepEqual(
      jobs,
      Array.from({ length: 7 }, () => 'build_variants'),
    )
  })

  it('knows what each will be called', () => {
    const named = Object.entries(profile.variants).map(([name, recipe]) => [
      name,
      `${extensionOfRecipe(recipe, false)} ${typeOfRecipe(recipe, false)}`,
    ])
    assert.deepEqual(Object.fromEntries(named), {
      ...{ thumb: 'jpg image/jpeg', first: 'jpg image/jpeg', web: 'mp4 video/mp4', scrub: 'jpg image/jpeg', moves: 'webp image/webp' },
      ...{ song: 'm4a audio/mp4', wave: 'json application/json' },
    })
  })
})
