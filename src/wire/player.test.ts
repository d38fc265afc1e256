import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { audioModel, type Playable, type PlayableFile, videoModel } from './player.ts'

const file = (url: string, contentType: string, width: number | null = null, height: number | null = null): PlayableFile => ({
  ...{ url, contentType, width, height },
  trackUrl: null,
})
const lesson: Playable = {
  ...{ width: 3840, height: 2160, hasAudioTrack: true },
  original: file('/o', 'video/mp4', 3840, 2160),
  variants: {
    small: file('/s', 'video/mp4', 854, 480),
    poster: file('/p', 'image/jpeg', 1280, 720),
    song: file('/m4a', 'audio/mp4'),
    web: file('/w', 'video/mp4', 1280, 720),
    spare: file('/mp3', 'audio/mpeg'),
    strip: { ...file('/sprite', 'image/jpeg', 1600, 900), trackUrl: '/t' },
    wave: file('/j', 'application/json'),
  },
}
const sources = (model: { readonly sources: readonly { readonly src: string }[] } | null) => model?.sources.map(({ src }) => src)
const thumbnails = { kind: 'metadata', label: 'thumbnails', src: '/t', default: true }

describe('the model of a film', () => {
  it('has every film, the largest first, then the original, with the size of what plays, a poster and thumbnails', () => {
    assert.deepEqual(videoModel(lesson), {
      sources: [
        { src: '/w', type: 'video/mp4', media: null },
        { src: '/s', type: 'video/mp4', media: null },
        { src: '/o', type: 'video/mp4', media: null },
      ],
      tracks: [thumbnails],
      poster: '/p',
      ...{ width: 1280, height: 720 },
    })
  })

  it('has those films that are wished for, in their order and for their windows', () => {
    const model = videoModel(lesson, { variants: [['small', '(max-width: 600px)'], { name: 'web' }, 'gone'], original: false })
    assert.deepEqual(model?.sources, [
      { src: '/s', type: 'video/mp4', media: '(max-width: 600px)' },
      { src: '/w', type: 'video/mp4', media: null },
    ])
    assert.deepEqual([model.width, model.height], [854, 480])
  })

  it('has no source that is no film, whoever wishes for it', () => {
    assert.deepEqual(sources(videoModel(lesson, { variants: ['song', 'poster', 'wave', 'constructor'] })), ['/o'])
    assert.deepEqual(sources(videoModel({ ...lesson, original: file('/o', 'audio/mp4'), variants: {} }, { placeholder: '/x' })), [])
  })

  it('takes another poster, or none, and never a strip, a film or an inherited name', () => {
    const cover = { ...lesson, variants: { ...lesson.variants, cover: file('/c', 'image/webp') } }
    assert.equal(videoModel(cover, { poster: 'cover' })?.poster, '/c')
    for (const poster of [null, 'strip', 'web', 'toString']) assert.equal(videoModel(lesson, { poster })?.poster, null, String(poster))
    assert.equal(videoModel(lesson, { poster: null, placeholder: '/x' })?.poster, '/x')
    assert.equal(videoModel(lesson, { placeholder: '/x' })?.poster, '/p')
  })

  it("puts the app's tracks before the thumbnails, of which there may be others, or none", () => {
    const words = { kind: 'captions', src: '/c.vtt', srclang: 'en', label: 'English', default: true } as const
    assert.deepEqual(videoModel(lesson, { tracks: [words] })?.tracks, [words, thumbnails])
    assert.deepEqual(videoModel(lesson, { strip: null })?.tracks, [])
    const two = { ...lesson, variants: { ...lesson.variants, fine: { ...file('/f', 'image/jpeg'), trackUrl: '/u' } } }
    assert.equal(videoModel(two, { strip: 'fine' })?.tracks[0]?.src, '/u')
    assert.deepEqual(videoModel(lesson, { strip: 'poster' })?.tracks, [])
  })

  it('is the poster alone, as large as the film will be shown, while nothing plays', () => {
    const { poster, strip } = lesson.variants
    const early = { ...lesson, original: null, variants: { poster, strip } as Playable['variants'] }
    assert.deepEqual(videoModel(early, { tracks: [{ kind: 'captions', src: '/c' }] }), {
      ...{ sources: [], tracks: [], poster: '/p', width: 3840, height: 2160 },
    })
  })

  it('is the placeholder when there is nothing else, and nothing without one', () => {
    for (const nothing of [null, { ...lesson, original: null, variants: {} }])
      assert.deepEqual(videoModel(nothing, { placeholder: '/x' }), { sources: [], tracks: [], poster: '/x', width: null, height: null })
    for (const nothing of [null, { ...lesson, original: null, variants: {} }]) assert.equal(videoModel(nothing), null)
    assert.equal(videoModel(null, { placeholder: '' }), null)
  })
})

describe('the model of a sound', () => {
  it('has every sound in the order given, then the original, of a film as well', () => {
    assert.deepEqual(audioModel(lesson), {
      sources: [
        { src: '/m4a', type: 'audio/mp4', media: null },
        { src: '/mp3', type: 'audio/mpeg', media: null },
        { src: '/o', type: 'video/mp4', media: null },
      ],
      tracks: [],
    })
    assert.deepEqual(sources(audioModel({ ...lesson, hasAudioTrack: null }, { variants: ['spare'] })), ['/mp3', '/o'])
    assert.deepEqual(sources(audioModel(lesson, { variants: ['spare', 'web'], original: false })), ['/mp3'])
  })

  it('is nothing of a silent film, and where there is nothing', () => {
    assert.equal(audioModel({ ...lesson, hasAudioTrack: false, variants: { web: file('/w', 'video/mp4') } }), null)
    assert.equal(audioModel(null), null)
    assert.equal(audioModel({ ...lesson, original: null, variants: {} }), null)
  })

  it('has the tracks of the app, and no thumbnails', () => {
    const chapters = { kind: 'chapters', src: '/c.vtt', srclang: 'en' } as const
    assert.deepEqual(audioModel(lesson, { tracks: [chapters] })?.tracks, [chapters])
  })
})
