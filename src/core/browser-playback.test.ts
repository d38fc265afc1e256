import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { playsInBrowsers } from './browser-playback.ts'
import { contentTypes, playableTypes } from './content-type.ts'

const plays = (contentType: string, videoCodec: string | null = null, audioCodec: string | null = null) =>
  playsInBrowsers({ contentType, videoCodec, audioCodec })

describe('what browsers play as it is', () => {
  for (const [type, pictures, sound, expected] of [
    ['video/mp4', 'h264', 'aac', true],
    ['video/mp4', 'h264', null, true],
    ['video/mp4', null, null, true],
    ['video/x-m4v', 'h264', 'aac', true],
    ['video/mp4; codecs="avc1"', 'h264', 'aac', true],
    ['video/mp4', 'hevc', 'aac', false],
    ['video/mp4', 'mpeg4', 'aac', false],
    ['video/mp4', 'h264', 'ac3', false],
    ['video/webm', 'vp9', 'opus', true],
    ['video/webm', 'h264', 'opus', false],
    ['video/quicktime', 'h264', 'aac', false],
    ['video/matroska', 'h264', 'aac', false],
    ['audio/mpeg', null, 'mp3', true],
    ['audio/mpeg', null, 'mp2', false],
    ['audio/mp4', null, 'aac', true],
    ['audio/mp4', null, 'alac', false],
    ['audio/wav', null, 'pcm_s16le', true],
    ['audio/wav', null, 'adpcm_ms', false],
    ['audio/amr', null, 'amr_nb', false],
    ['image/jpeg', null, null, false],
    ['constructor', null, null, false],
  ] as const)
    it(`${type} with ${pictures ?? 'no pictures'} and ${sound ?? 'no sound'}: ${expected ? 'yes' : 'no'}`, () => {
      assert.equal(plays(type, pictures, sound), expected)
    })

  it('is never a type that nobody looked into', () => {
    for (const { type } of contentTypes) if (plays(type)) assert.ok(playableTypes.has(type), type)
  })
})
