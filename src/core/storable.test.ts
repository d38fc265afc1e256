import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isStorableText, storableJson, storableText } from './storable.ts'

const limits = { maxBytes: 1_000, maxDepth: 4 }
const kept = (value: unknown) => {
  const storable = storableJson(value, limits)
  assert.ok(storable.storable, storable.storable ? '' : storable.problem)
  return storable
}
const problem = (value: unknown, more: object = {}): string => {
  const storable = storableJson(value, { ...limits, ...more })
  assert.ok(!storable.storable)
  return storable.problem
}

describe('text that is stored', () => {
  it('has neither NUL nor halves of surrogate pairs', () => {
    assert.equal(storableText('a\0b\ud800c\udc00'), 'a\ufffdb\ufffdc\ufffd')
    assert.equal(storableText('Übung 😀\n'), 'Übung 😀\n')
    for (const text of ['a\0', '\ud800', '\udc00\ud800']) {
      assert.ok(!isStorableText(text))
      assert.ok(isStorableText(storableText(text)))
    }
    assert.ok(isStorableText('😀'))
  })

  it('is cut at its length, never within a character', () => {
    assert.equal(storableText('a😀b', 4), 'a😀b')
    assert.equal(storableText('a😀b', 3), 'a😀')
    assert.equal(storableText('a😀b', 2), 'a')
    assert.equal(storableText('a\0b', 2), 'a\ufffd')
    assert.equal(storableText('abc', 0), '')
  })
})

describe('JSON that is stored', () => {
  it('is what was given where PostgreSQL takes that', () => {
    const value = { a: [1, -2.5, true, null, 'x'], b: { c: {} } }
    assert.deepEqual(kept(value).value, value)
    assert.deepEqual(JSON.parse(kept(value).text), value)
    for (const plain of ['x', 7, false, null, []]) assert.deepEqual(kept(plain).value, plain)
  })

  it('has clean keys and texts', () => {
    assert.deepEqual(kept({ 'a\0': 'b\ud800', list: ['\0'] }).value, { 'a\ufffd': 'b\ufffd', list: ['\ufffd'] })
    assert.deepEqual(kept({ 'a\0': 1, 'a\ufffd': 2 }).value, { 'a\ufffd': 2 })
  })

  it('spells what JSON has no word for, or leaves it out', () => {
    const given = {
      ...{ big: 2n ** 64n, at: new Date(0), never: new Date(NaN), nan: NaN, far: -Infinity, zero: -0 },
      ...{ none: undefined, run: () => 1, mark: Symbol('x'), list: [undefined, () => 1, 3], said: { toJSON: () => ({ a: 1 }) } },
    }
    assert.deepEqual(kept(given).value, {
      ...{ big: '18446744073709551616', at: '1970-01-01T00:00:00.000Z', never: null, nan: null, far: null, zero: 0 },
      ...{ list: [null, null, 3], said: { a: 1 } },
    })
  })

  it('lets keys that lead to prototypes do nothing', () => {
    const given: unknown = JSON.parse('{"__proto__":{"admin":true},"a":{"__proto__":7,"b":1},"constructor":{"prototype":{"admin":true}}}')
    const { value, text } = kept(given)
    assert.equal(text, '{"a":{"b":1}}')
    assert.equal(Object.getPrototypeOf(value), Object.prototype)
    assert.equal(({} as { admin?: boolean }).admin, undefined)
    assert.deepEqual(kept(Object.create(null, { a: { value: 1, enumerable: true } })).value, { a: 1 })
  })

  it('is refused in words when it is too large, too deep or has too many members', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    assert.match(problem(circle), /nested deeper than 4 or contains itself/)
    assert.match(problem([[[[[]]]]]), /nested deeper than 4/)
    assert.deepEqual(kept([[[[]]]]).value, [[[[]]]])
    assert.match(problem({ a: 'x'.repeat(1_000) }), /larger than 1000 bytes/)
    assert.match(problem('ü'.repeat(600)), /larger than 1000 bytes/)
    assert.match(problem({ ['k'.repeat(2_000)]: 1 }), /larger than 1000 bytes/)
    assert.match(
      problem(
        Array.from({ length: 11 }, () => 1),
        { maxMembers: 10 },
      ),
      /more than 10 members/,
    )
    assert.match(problem(new Array(2 ** 32 - 1)), /more than 10000 members/)
    assert.match(problem(Object.fromEntries(Array.from({ length: 11 }, (_, at) => [at, 1])), { maxMembers: 10 }), /more than 10 members/)
  })

  it('is refused when it is no JSON at all', () => {
    assert.match(problem(undefined), /is undefined/)
    assert.match(
      problem(() => 1),
      /is function/,
    )
    assert.match(problem({ bytes: Buffer.from('x') }), /binary/)
    assert.match(problem(new ArrayBuffer(8)), /binary/)
  })

  it('comes out of no getter, proxy or toJSON that throws', () => {
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const throws = (): never => {
      throw new RangeError('from within')
    }
    for (const value of [
      {
        get a() {
          return throws()
        },
      },
      { toJSON: throws },
      revoked.proxy,
    ])
      assert.equal(problem(value), 'could not be read')
    const deeper: object = { toJSON: () => ({ again: deeper }) }
    assert.match(problem(deeper), /nested deeper/)
  })

  it('shares nothing with what was given', () => {
    const given = { list: [1] }
    const { value } = kept(given)
    given.list.push(2)
    assert.deepEqual(value, { list: [1] })
  })
})
