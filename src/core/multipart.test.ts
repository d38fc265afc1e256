import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from './errors.ts'
import { partCountOf, partSizeOf, planParts } from './multipart.ts'

const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3
const tebibyte = 1024 ** 4
const limits = { minPartBytes: 5 * mebibyte, maxPartBytes: 5 * gibibyte, maxParts: 10_000, maxObjectBytes: 5 * tebibyte }
const refusal = (code: string) => (err: unknown) => isRindleError(err) && err.code === code

describe('cutting an object into parts', () => {
  it('cuts into the usual parts, the last with what is left', () => {
    assert.deepEqual(planParts(20 * mebibyte + 1, limits), { partBytes: 8 * mebibyte, partCount: 3 })
    assert.equal(partSizeOf(20 * mebibyte + 1, 8 * mebibyte, 1), 8 * mebibyte)
    assert.equal(partSizeOf(20 * mebibyte + 1, 8 * mebibyte, 3), 4 * mebibyte + 1)
    assert.deepEqual(planParts(1, limits), { partBytes: 8 * mebibyte, partCount: 1 })
    assert.deepEqual(planParts(16 * mebibyte, limits), { partBytes: 8 * mebibyte, partCount: 2 })
  })

  it('makes parts larger where there would be too many, up to the largest object', () => {
    const sizes = [80_000 * mebibyte, 80_000 * mebibyte + 1, 100 * gibibyte + 7, tebibyte - 1, 5 * tebibyte - 1, 5 * tebibyte]
    for (const byteSize of sizes) {
      const { partBytes, partCount } = planParts(byteSize, limits)
      assert.ok(partCount <= limits.maxParts && partBytes >= 8 * mebibyte && partBytes <= limits.maxPartBytes, `${byteSize}`)
      assert.equal(partBytes % mebibyte, 0)
      const sizesOfParts = Array.from({ length: partCount }, (_, index) => partSizeOf(byteSize, partBytes, index + 1))
      assert.equal(
        sizesOfParts.reduce((sum, size) => sum + size, 0),
        byteSize,
      )
      assert.ok(sizesOfParts.every((size, index) => size > 0 && (index + 1 === partCount || size === partBytes)))
    }
    assert.equal(planParts(5 * tebibyte, limits).partBytes, 525 * mebibyte)
  })

  it('refuses what no cut fits, and a wish that the store does not take', () => {
    assert.throws(() => planParts(5 * tebibyte + 1, limits), refusal('upload_too_large'))
    assert.throws(() => planParts(101, { ...limits, minPartBytes: 1, maxPartBytes: 10, maxParts: 10 }, 10), refusal('upload_too_large'))
    for (const wish of [5 * mebibyte - 1, 5 * gibibyte + 1, 8.5, Number.NaN])
      assert.throws(() => planParts(mebibyte, limits, wish), refusal('argument_invalid'))
  })

  it('counts one part for an empty object', () => {
    assert.equal(partCountOf(0, 8 * mebibyte), 1)
    assert.equal(partSizeOf(0, 8 * mebibyte, 1), 0)
  })
})
