import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { probedFrom } from './probe-reply.ts'

const film = {
  index: 0,
  codec_type: 'video',
  codec_name: 'h264',
  width: 640,
  height: 480,
  avg_frame_rate: '25/1',
  disposition: { attached_pic: 0 },
}
const sound = { index: 1, codec_type: 'audio', codec_name: 'aac', duration: '5.1', disposition: { attached_pic: 0 } }
const read = (streams: readonly unknown[], format: unknown = { nb_streams: streams.length, duration: '5.0' }) =>
  probedFrom(JSON.stringify({ streams, format }))

describe('what ffprobe answers', () => {
  it('is read for tracks, size and the longest of all lengths', () => {
    assert.deepEqual(read([film, sound]), {
      streams: 2,
      durationMs: 5_100,
      picture: {
        ...{ index: 0, codec: 'h264', width: 640, height: 480, sidePixels: 640, pixels: 307_200, framesPerSecond: 25 },
        ...{ rotation: 0, isSquare: true, pixelFormat: null, isHdr: false, bitsPerSecond: null },
      },
      sound: { index: 1, codec: 'aac', durationMs: 5_100, channels: null, samplesPerSecond: null, bitsPerSecond: null, profile: null },
      hasSound: true,
      hasPicture: true,
      codecs: ['h264', 'aac'],
      attachments: 0,
    })
  })

  it('is turned and stretched as it is shown', () => {
    const shown = (more: object) => {
      const { width, height } = read([{ ...film, ...more }])?.picture ?? {}
      return `${width}x${height}`
    }
    const rows = [
      [{ side_data_list: [{}, { rotation: -90 }] }, '480x640'],
      [{ side_data_list: [{ rotation: 270 }] }, '480x640'],
      [{ side_data_list: [{ rotation: 180 }] }, '640x480'],
      [{ side_data_list: [{ rotation: -89 }] }, '480x640'],
      [{ side_data_list: [{ rotation: 'nan' }], tags: { rotate: '90' } }, '480x640'],
      [{ sample_aspect_ratio: '3:2' }, '960x480'],
      [{ sample_aspect_ratio: '1:2' }, '640x960'],
      [{ sample_aspect_ratio: '0:1' }, '640x480'],
      [{ sample_aspect_ratio: 'N/A' }, '640x480'],
      [{ sample_aspect_ratio: '1:999999999' }, '640x480'],
      [{ sample_aspect_ratio: '3:2', side_data_list: [{ rotation: 90 }] }, '480x960'],
    ] as const
    for (const [more, size] of rows) assert.equal(shown(more), size, JSON.stringify(more))
  })

  it('counts the stored size too where it is the larger', () => {
    const picture = read([{ ...film, coded_width: 4096, coded_height: 4096 }])?.picture
    assert.deepEqual([picture?.width, picture?.sidePixels, picture?.pixels], [640, 4096, 4096 * 4096])
  })

  it('is sound alone where the only picture is a cover', () => {
    const cover = { ...film, index: 1, codec_name: 'mjpeg', disposition: { attached_pic: 1 }, duration: '9000' }
    const probed = read([{ ...sound, index: 0 }, cover])
    assert.deepEqual([probed?.picture, probed?.sound?.index, probed?.durationMs], [null, 0, 5_100])
    assert.equal(read([sound, { ...film, disposition: { attached_pic: 0, timed_thumbnails: 1 } }])?.picture, null)
  })

  it('has the length of tracks by the clock where Matroska tells it so', () => {
    assert.equal(read([{ ...sound, duration: undefined, tags: { DURATION: '01:00:06.023000000' } }], {})?.durationMs, 3_606_023)
  })

  it('is no length, no size and no codec where a hostile file made it up', () => {
    for (const duration of ['nan', 'inf', '-5', '1e400', '0x10', '', 'N/A', '0', null, [], {}, true, `${'9'.repeat(400)}`])
      assert.equal(read([{ ...sound, duration }], { duration })?.durationMs, null, String(duration))
    assert.equal(read([{ ...sound, duration: '9'.repeat(29) }], {})?.durationMs, Number.MAX_SAFE_INTEGER)
    for (const width of [0, -1, 1.5, 2 ** 31, '640', Number.MAX_VALUE, null]) {
      const probed = read([{ ...film, width }])
      assert.deepEqual([probed?.picture, probed?.hasPicture], [null, true], String(width))
    }
    for (const codec_name of ['a"b', 'x\u0000', 'H264\n', '', 'unknown', 7, 'a'.repeat(41)])
      assert.equal(read([{ ...film, codec_name }])?.picture?.codec, null, String(codec_name))
    for (const avg_frame_rate of ['0/0', '1/0', '-25/1', 'nan', 25])
      assert.equal(read([{ ...film, avg_frame_rate }])?.picture?.framesPerSecond, null, String(avg_frame_rate))
    assert.equal(read([sound], { nb_streams: 4_000_000_000 })?.streams, 4_000_000_000)
  })

  it('names the codecs of every track but covers, and none that has no name', () => {
    const cover = { ...film, codec_name: 'mjpeg', disposition: { attached_pic: 1 } }
    const spatial = { ...sound, index: 2, codec_name: undefined }
    assert.deepEqual(read([film, sound, spatial, cover, { ...sound, codec_name: 'ac3' }])?.codecs, ['h264', 'aac', 'ac3'])
  })

  it('skips a track of sound in a codec without a name for one that has one, and says that there is sound', () => {
    const unknown = { ...sound, index: 0, codec_name: undefined }
    assert.deepEqual(read([unknown, sound])?.sound?.index, 1)
    const probed = read([unknown])
    assert.deepEqual([probed?.sound, probed?.hasSound], [null, true])
  })

  it('is nothing where it is no sense', () => {
    for (const text of ['', '{', 'null', '[]', '{"streams":{}}', '{"streams":7}', '"text"']) assert.equal(probedFrom(text), null, text)
    assert.deepEqual(probedFrom('{"streams":[null,7,"x",[]]}')?.streams, 0)
    assert.equal(probedFrom('{"__proto__":{"streams":[]}}'), null)
  })
})
