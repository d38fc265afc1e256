import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { thumbnailTrack } from './thumbnail-track.ts'
import type { StripGrid } from './variant-facts.ts'

const grid = (given: Partial<StripGrid>): StripGrid => ({
  ...{ tileWidth: 160, tileHeight: 90, columns: 10, rows: 1, count: 1, intervalMs: 1_000 },
  ...given,
})

/** The cues of a track, each its two times and what it shows; whatever is not the format fails. */
const cuesOf = (track: string): string[][] => {
  const [head, ...blocks] = track.split('\n\n')
  assert.equal(head, 'WEBVTT')
  return blocks.map((block) => {
    const found = /^(\d{2,}:\d\d:\d\d\.\d{3}) --> (\d{2,}:\d\d:\d\d\.\d{3})\n(\S+)\n?$/.exec(block)
    assert.ok(found, JSON.stringify(block))
    return found.slice(1)
  })
}

describe('the track of thumbnails', () => {
  it('has a cue for each frame, row by row, the last row shorter than the others', () => {
    const track = thumbnailTrack(grid({ columns: 3, rows: 2, count: 5 }), 5_200, 'https://a.test/s?x=1&y=2')
    assert.equal(
      track,
      [
        'WEBVTT',
        '',
        '00:00:00.000 --> 00:00:01.000',
        'https://a.test/s?x=1&y=2#xywh=0,0,160,90',
        '',
        '00:00:01.000 --> 00:00:02.000',
        'https://a.test/s?x=1&y=2#xywh=160,0,160,90',
        '',
        '00:00:02.000 --> 00:00:03.000',
        'https://a.test/s?x=1&y=2#xywh=320,0,160,90',
        '',
        '00:00:03.000 --> 00:00:04.000',
        'https://a.test/s?x=1&y=2#xywh=0,90,160,90',
        '',
        '00:00:04.000 --> 00:00:05.200',
        'https://a.test/s?x=1&y=2#xywh=160,90,160,90',
        '',
      ].join('\n'),
    )
  })

  it('has one cue, as long as the film, where there is one frame', () => {
    assert.deepEqual(cuesOf(thumbnailTrack(grid({}), 480, '/s')), [['00:00:00.000', '00:00:00.480', '/s#xywh=0,0,160,90']])
    assert.deepEqual(cuesOf(thumbnailTrack(grid({}), 1_700, '/s')), [['00:00:00.000', '00:00:01.700', '/s#xywh=0,0,160,90']])
  })

  it('reaches over hours, without a hole and without an overlap', () => {
    const cues = cuesOf(thumbnailTrack(grid({ rows: 10, count: 100, intervalMs: 40_500 }), 4_049_900, '/s'))
    assert.equal(cues.length, 100)
    assert.deepEqual(cues.at(88)?.slice(0, 2), ['00:59:24.000', '01:00:04.500'])
    assert.deepEqual(cues.at(-1), ['01:06:49.500', '01:07:29.900', '/s#xywh=1440,810,160,90'])
    for (const [index, [from]] of cues.entries()) assert.equal(from, index === 0 ? '00:00:00.000' : cues[index - 1]?.[1])
    assert.equal(new Set(cues.map(([, , place]) => place)).size, 100)
  })

  it('says nothing of frames that lie after the end', () => {
    const cues = cuesOf(thumbnailTrack(grid({ count: 4 }), 2_500, '/s'))
    assert.deepEqual(
      cues.map(([from, to]) => `${from} ${to}`),
      ['00:00:00.000 00:00:01.000', '00:00:01.000 00:00:02.000', '00:00:02.000 00:00:02.500'],
    )
  })

  it('ends with the last frame where nobody knows how long the film is', () => {
    assert.equal(cuesOf(thumbnailTrack(grid({ count: 3, intervalMs: 2_500 }), null, '/s')).at(-1)?.[1], '00:00:07.500')
  })
})
