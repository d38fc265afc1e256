import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPeakMeter } from './waveform.ts'

const pcm = (samples: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(samples.length * 2)
  samples.forEach((sample, index) => bytes.writeInt16LE(sample, index * 2))
  return bytes
}

describe('a peak meter', () => {
  const metered = (length: number, samples: readonly number[], chunkBytes = 7) => {
    const meter = createPeakMeter(length)
    const bytes = pcm(samples)
    for (let at = 0; at < bytes.length; at += chunkBytes) meter.add(bytes.subarray(at, at + chunkBytes))
    return meter.peaks()
  }

  it('gives the lowest and the highest of each stretch, from -1 to 1', () => {
    const samples = [0, -32_768, 16_384, 0, 100, 200, 300, 32_767]
    assert.deepEqual(metered(2, samples), [
      [-1, 0.5],
      [0.003052, 0.999969],
    ])
  })

  it('finds every peak however the bytes are cut, and however long the sound', () => {
    for (const [count, chunkBytes] of [
      [1_000, 1],
      [99_991, 4_096],
      [400_003, 65_535],
    ] as const) {
      const samples = Array.from({ length: count }, (_, index) => Math.round(Math.sin(index / 37) * 9_000))
      const loud = Math.floor(count * 0.615)
      samples[loud] = 30_000
      const peaks = metered(100, samples, chunkBytes)
      assert.equal(peaks?.length, 100)
      const at = peaks.findIndex(([, high]) => high > 0.9)
      assert.ok(Math.abs(at - 61.5) <= 1.5, `${count} samples: the peak is at ${at}`)
      assert.equal(Math.min(...peaks.map(([low]) => low)), -0.274658)
    }
  })

  it('draws what is shorter than it is wide, and knows silence from nothing', () => {
    assert.deepEqual(metered(4, [5, 6]), [
      [0.000153, 0.000153],
      [0.000153, 0.000153],
      [0.000183, 0.000183],
      [0.000183, 0.000183],
    ])
    assert.deepEqual(metered(2, [0, 0]), [
      [0, 0],
      [0, 0],
    ])
    assert.equal(metered(2, []), null)
  })
})
