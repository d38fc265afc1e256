import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from './errors.ts'
import { everyPartMissing, judgeParts, partSizeOf, planParts, refuseLargePut, sentPartsOf } from './multipart.ts'

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

  it('keeps a small wish that fits', () => {
    const small = { ...limits, minPartBytes: 1 }
    assert.deepEqual(planParts(57, small, 16), { partBytes: 16, partCount: 4 })
    assert.deepEqual(planParts(50_000, { ...small, maxParts: 10 }, 5_000), { partBytes: 5_000, partCount: 10 })
    assert.deepEqual(planParts(50_001, { ...small, maxParts: 10 }, 5_000), { partBytes: mebibyte, partCount: 1 })
  })

  it('refuses what no cut fits, and a wish that the store does not take', () => {
    assert.throws(() => planParts(5 * tebibyte + 1, limits), refusal('upload_too_large'))
    assert.throws(() => planParts(101, { ...limits, minPartBytes: 1, maxPartBytes: 10, maxParts: 10 }, 10), refusal('upload_too_large'))
    for (const wish of [5 * mebibyte - 1, 5 * gibibyte + 1, 8.5, Number.NaN])
      assert.throws(() => planParts(mebibyte, limits, wish), refusal('argument_invalid'))
  })

  it('counts one part for an empty object', () => {
    assert.deepEqual(planParts(0, limits), { partBytes: 8 * mebibyte, partCount: 1 })
    assert.equal(partSizeOf(0, 8 * mebibyte, 1), 0)
  })
})

describe('judging what storage lists', () => {
  const session = { id: 's', declaredBytes: 40, partBytes: 16, uploadStrategy: 'multipart' } as const
  const stored = [
    { partNumber: 3, sizeBytes: 8, etag: '"c"' },
    { partNumber: 1, sizeBytes: 16, etag: 'a' },
    { partNumber: 2, sizeBytes: 16, etag: '"b"' },
  ]
  const without = (partNumber: number) => stored.filter((part) => part.partNumber !== partNumber)
  const judged = (given: readonly (typeof stored)[number][], sent: unknown = null): string => {
    try {
      return judgeParts(session, given, sent === null ? null : sentPartsOf(sent))
        .map(({ partNumber }) => partNumber)
        .join()
    } catch (err) {
      if (!isRindleError(err)) throw err
      return err.code === 'upload_parts_missing' ? `missing ${err.details.missing.join()}` : err.code
    }
  }
  const sent = (...etags: readonly string[]) => etags.map((etag, index) => ({ partNumber: index + 1, etag }))
  const cases: readonly [string, string, readonly (typeof stored)[number][], unknown][] = [
    ['all parts, by number', '1,2,3', stored, null],
    ['parts beyond the last, which are left out', '1,2,3', [...stored, { partNumber: 4, sizeBytes: 16, etag: 'd' }], null],
    ['nothing', 'missing 1,2,3', [], null],
    ['a part is missing', 'missing 2', without(2), null],
    ['a part of another size', 'upload_parts_mismatch', [...without(2), { partNumber: 2, sizeBytes: 15, etag: 'b' }], null],
    ['a last part that is whole', 'upload_parts_mismatch', [...without(3), { partNumber: 3, sizeBytes: 16, etag: 'c' }], null],
    ['a list that agrees, quoted or not', '1,2,3', stored, sent('"a"', 'b', ' W/"c" ')],
    ['a list that lacks one', 'missing 3', stored, sent('a', 'b')],
    ['a list that names another', 'upload_parts_mismatch', stored, sent('a', 'b', 'x')],
    ['a list with what the file has not', 'argument_invalid', stored, sent('a', 'b', 'c', 'd')],
    ['a list with one twice', 'argument_invalid', stored, [...sent('a', 'b', 'c'), { partNumber: 3, etag: 'c' }]],
    ['no list at all', 'argument_invalid', stored, 'abc'],
  ]
  for (const [name, expected, given, list] of cases) it(`${name}: ${expected}`, () => assert.equal(judged(given, list), expected))

  it('names at most a hundred of what is missing, and counts all', () => {
    const err = everyPartMissing({ ...session, declaredBytes: 16 * 10_000 })
    assert.ok(isRindleError(err) && err.code === 'upload_parts_missing')
    assert.deepEqual([err.details.missing.length, err.details.missing.at(-1), err.details.missingCount], [100, 100, 10_000])
  })

  it('speaks only of sessions that come in parts', () => {
    assert.throws(
      () => judgeParts({ ...session, partBytes: null, uploadStrategy: 'presigned_put' }, stored, null),
      refusal('upload_unsupported'),
    )
  })
})

describe("reading a client's list of parts", () => {
  it('takes as many as a storage counts, each once, and nothing else', () => {
    const list = (count: number) => Array.from({ length: count }, (_, index) => ({ partNumber: index + 1, etag: 'e' }))
    assert.equal(sentPartsOf(list(10_000)).length, 10_000)
    for (const wrong of [list(10_001), [...list(2), ...list(1)], [{ partNumber: 0, etag: 'e' }], [{ partNumber: 1 }], [null], 'parts'])
      assert.throws(() => sentPartsOf(wrong), refusal('argument_invalid'))
  })
})

describe('one PUT', () => {
  it('is refused beyond what its store carries, where there is such a limit', () => {
    assert.throws(() => refuseLargePut({ maxPutBytes: 10 }, 11), refusal('upload_put_too_large'))
    for (const [maxPutBytes, byteSize] of [
      [10, 10],
      [10, null],
      [undefined, 11],
    ] as const)
      assert.doesNotThrow(() => refuseLargePut({ maxPutBytes }, byteSize))
  })
})
