import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../adapters/storage/memory.ts'
import { typesToTry, undecodable } from './decoding-needs.ts'
import { RindleError } from './errors.ts'
import type { JailReport } from './ports/jail.ts'
import { defineProfile } from './profile-definition.ts'
import type { ProfileOptions } from './profile-options.ts'

const profile = (allowMime: readonly string[], more: Partial<ProfileOptions> = {}) => ({
  one: defineProfile({ storage: memory(), maxBytes: 1_000, allowMime, ...more }),
})
const report = (more: Partial<JailReport> = {}): JailReport => ({
  walls: [],
  versions: { sharp: '0.35.5', libvips: '8.18.7', ffmpeg: '5.1.9-0+deb12u1', ffprobe: '5.1.9-0+deb12u1' },
  problem: null,
  decodes: ['image/jpeg', 'image/heic', 'video/mp4'],
  missing: {},
  ...more,
})
const without = (type: string, packageName: string): JailReport =>
  report({
    decodes: report().decodes.filter((one) => one !== type),
    missing: { [type]: { packageName, install: `install ${packageName}` } },
  })
const said = (allowMime: readonly string[], found: JailReport) =>
  undecodable(profile(allowMime), found).map(({ contentType, error }) => [contentType, error.code, error.message])

describe('what profiles need of decoders', () => {
  it('has to be tried for HEIC, audio and video alone, and for media alone', () => {
    assert.deepEqual(typesToTry(profile(['image/jpeg', 'image/png', 'image/webp', 'image/avif'])), [])
    for (const type of ['image/heic', 'video/mp4', 'audio/mpeg']) {
      assert.ok(typesToTry(profile(['image/jpeg', type])).includes(type), type)
      assert.deepEqual(typesToTry(profile([type], { kind: 'file' })), [], type)
    }
  })

  it('is met by what was decoded, or by another of its kind where it was not tried itself', () => {
    assert.deepEqual(said(['image/jpeg', 'image/heic'], report()), [])
    assert.deepEqual(said(['video/mp4', 'video/3gpp', 'audio/ogg'], report()), [])
  })

  it('is refused with the package and how to install it', () => {
    const [heic] = said(['image/jpeg', 'image/heic'], without('image/heic', 'heic-decode'))
    assert.deepEqual(heic?.slice(0, 2), ['image/heic', 'peer_missing'])
    assert.match(heic?.[2] ?? '', /Profile one.*image\/heic.*npm install heic-decode/)
    const none = report({ decodes: [], versions: { sharp: null, libvips: null, ffmpeg: null, ffprobe: null } })
    assert.match(said(['image/heic'], none)[0]?.[2] ?? '', /npm install sharp/)
  })

  it('is refused with what is too old, where that is why no picture is opened', () => {
    const details = { packageName: 'sharp', found: '0.34.9', needed: '0.35.0' }
    const old = report({
      decodes: [],
      problem: new RindleError('peer_outdated', details),
      versions: { ...report().versions, sharp: '0.34.9' },
    })
    assert.deepEqual(said(['image/heic'], old)[0]?.slice(0, 2), ['image/heic', 'peer_outdated'])
  })

  it('is refused where ffmpeg is missing, too old, or does not open the type', () => {
    const images = { decodes: ['image/jpeg'] }
    const versions = (ffmpeg: string | null) => report({ ...images, versions: { ...report().versions, ffmpeg } })
    assert.match(said(['video/mp4'], versions(null))[0]?.[2] ?? '', /needs ffmpeg, which is not on this machine: apt-get install ffmpeg/)
    assert.deepEqual(said(['video/mp4'], versions('4.4.2'))[0]?.slice(1), [
      'peer_outdated',
      'ffmpeg 4.4.2 is too old to be given untrusted files; 5.1 or newer is needed.',
    ])
    assert.equal(said(['video/mp4'], versions('n7.1'))[0]?.[1], 'program_missing')
    assert.equal(said(['video/webm'], without('video/webm', 'ffmpeg'))[0]?.[1], 'program_missing')
  })
})
