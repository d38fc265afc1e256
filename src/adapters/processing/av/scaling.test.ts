import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { video, strip } from '../../../core/av-recipes.ts'
import { gridOf, sizeOfVideo } from './encode.ts'
import { fitInside } from './scaling.ts'

const size = (width: number, height: number) => ({ width, height })
const words = ({ width, height }: { width: number; height: number }): string => `${width}x${height}`

describe('the size of a film', () => {
  it('fits into its box with even sides, keeps its shape, and is never larger than it was', () => {
    assert.equal(words(fitInside(size(1920, 1080), size(1280, 720))), '1280x720')
    assert.equal(words(fitInside(size(640, 480), size(1280, 720))), '640x480')
    assert.equal(words(fitInside(size(641, 481), size(1280, 720))), '640x480')
    assert.equal(words(fitInside(size(4096, 100), size(1280, 720))), '1280x32')
    assert.equal(words(fitInside(size(10_000, 3), size(1280, 720))), '1280x2')
  })

  it('turns its box with the phone', () => {
    assert.equal(words(sizeOfVideo(size(1080, 1920), video())), '720x1280')
    assert.equal(words(sizeOfVideo(size(1080, 1080), video())), '720x720')
    assert.equal(words(sizeOfVideo(size(480, 640), video({ width: 300, height: 600 }))), '300x400')
  })
})

describe('the grid of a strip', () => {
  it('has a frame a second, at most a hundred, and ten in a row', () => {
    assert.deepEqual(gridOf(size(1920, 1080), 5_200, strip()), {
      tileWidth: 160,
      tileHeight: 90,
      columns: 6,
      rows: 1,
      count: 6,
      intervalMs: 1_000,
    })
    assert.deepEqual(gridOf(size(1080, 1920), 3_600_000, strip()), {
      ...{ tileWidth: 90, tileHeight: 160, columns: 10, rows: 10, count: 100, intervalMs: 36_000 },
    })
  })

  it('never grows beyond what a decoder takes, however many are asked for', () => {
    const { columns, rows, tileWidth, tileHeight, count, intervalMs } = gridOf(
      size(1920, 1080),
      7_200_000,
      strip({ everySeconds: 0.1, width: 1_280, height: 720, columns: 100 }),
    )
    assert.ok(columns * tileWidth <= 16_000 && rows * tileHeight <= 16_000, `${columns} x ${rows}`)
    assert.ok(columns * tileWidth * rows * tileHeight <= 32_000_000, `${columns} x ${rows}`)
    assert.ok(count * intervalMs >= 7_200_000 && count <= columns * rows)
  })

  it('never has more frames than a track can be written for while somebody waits', () => {
    const { count, intervalMs } = gridOf(size(1920, 1080), 7_200_000, strip({ everySeconds: 0.1, width: 16, height: 16, columns: 100 }))
    assert.deepEqual([count, intervalMs], [10_000, 720])
  })
})
