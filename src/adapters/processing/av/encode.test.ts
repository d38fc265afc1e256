import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { preview, strip, video } from '../../../core/av-recipes.ts'
import { encodeArguments } from './encode.ts'
import type { Picture } from './probe-reply.ts'

const picture: Picture = {
  ...{ index: 0, codec: 'mjpeg', width: 640, height: 480, sidePixels: 640, pixels: 307_200, framesPerSecond: 25, rotation: 0 },
  ...{ isSquare: true, pixelFormat: 'yuv420p', isHdr: false, bitsPerSecond: null },
}
const argumentsFor = (framesPerSecond: number, ...recipes: Parameters<typeof encodeArguments>[1][number]['recipe'][]): string[] =>
  encodeArguments(
    { picture: { ...picture, framesPerSecond }, sound: null, durationMs: 10_000 },
    recipes.map((recipe, index) => ({ recipe, path: `/out/${index}`, loudness: null })),
    false,
  )

describe('the arguments of an encode', () => {
  it('make nothing at a steady rate beyond the length that is known, whatever times a file has', () => {
    for (const args of [argumentsFor(25, strip(), preview()), argumentsFor(240, video())]) {
      const graph = args[args.indexOf('-filter_complex') + 1] ?? ''
      const rates = graph.split(/[;,](?=[a-z])|\]/).filter((filter) => filter.startsWith('fps='))
      assert.ok(rates.length > 0, graph)
      assert.equal(graph.split("min(PTS,15.500/TB))',fps=").length - 1, rates.length, graph)
    }
  })

  it('leave the pictures of a film at their times', () => {
    const args = argumentsFor(25, video())
    assert.equal(args[args.indexOf('-fps_mode') + 1], 'vfr')
    assert.ok(!(args[args.indexOf('-filter_complex') + 1] ?? '').includes('fps='))
  })
})
