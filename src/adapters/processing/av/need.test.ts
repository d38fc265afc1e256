import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { audio, preview, strip, video } from '../../../core/av-recipes.ts'
import type { Recipe } from '../../../core/recipe.ts'
import { encodingBytes } from './need.ts'
import type { Picture } from './probe-reply.ts'

const picture: Picture = {
  ...{ index: 0, codec: 'h264', width: 1_280, height: 720, sidePixels: 1_280, pixels: 921_600, framesPerSecond: 25, rotation: 0 },
  ...{ isSquare: true, pixelFormat: 'yuv420p', isHdr: false, bitsPerSecond: null },
}
const needOf = (...recipes: readonly Recipe[]): number =>
  encodingBytes(
    { picture, durationMs: 600_000 },
    recipes.map((recipe, index) => ({ name: String(index), recipe })),
  )

describe('the memory that making variants of a film takes', () => {
  it('counts all that is made at once, sprites and animations by their size', () => {
    const [decoded, film, large, moving] = [
      needOf(audio()),
      needOf(video()),
      needOf(strip({ width: 1_280, height: 1_280, columns: 10, everySeconds: 0.1 })),
      needOf(preview({ width: 1_280, height: 1_280 })),
    ]
    assert.ok(film > decoded && moving > decoded)
    assert.ok(large - decoded > 400_000_000 && large - decoded < 512_000_000, String(large))
    assert.ok(needOf(strip()) - decoded < 64_000_000)
    assert.equal(needOf(video(), preview({ width: 1_280, height: 1_280 })) - decoded, film - decoded + moving - decoded)
  })
})
