import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from './errors.ts'
import { normaliseKey, objectIdOfKey, problemOfKey, roleOfKey, sealedKey, stagingKey, unmanagedKey, variantKey } from './object-key.ts'

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (err) {
    return isRindleError(err) ? err.code : String(err)
  }
  return 'nothing was thrown'
}

describe('object keys', () => {
  it('begin with the role of what lies there', () => {
    assert.equal(stagingKey('s1', 'o1'), 'staging/s1/o1')
    assert.equal(sealedKey('a1', 'o1', 'jpg'), 'sealed/a1/o1.jpg')
    assert.equal(sealedKey('a1', 'o1', null), 'sealed/a1/o1')
    assert.equal(variantKey('a1', 'thumb', 'o1', 'webp'), 'variants/a1/thumb/o1.webp')
    assert.deepEqual(['staging/a/b', 'sealed/a', 'variants/a', 'unmanaged/a', 'else/a', 'stagingish/a', 'unmanaged'].map(roleOfKey), [
      'staging',
      'sealed',
      'variants',
      'unmanaged',
      null,
      null,
      null,
    ])
  })

  it('cannot be led out of their folder by what they are made of', () => {
    assert.equal(
      codeOf(() => sealedKey('..', 'o1', 'jpg')),
      'object_key_invalid',
    )
    assert.equal(
      codeOf(() => variantKey('a1', '../../x', 'o1', 'webp')),
      'object_key_invalid',
    )
    assert.equal(
      codeOf(() => sealedKey('a1', 'o1', '/../../etc/passwd')),
      'object_key_invalid',
    )
    assert.equal(
      codeOf(() => stagingKey('', 'o1')),
      'object_key_invalid',
    )
  })

  const refused = {
    'an empty key': '',
    'a leading slash': '/unmanaged/a',
    'a trailing slash': 'unmanaged/a/',
    'an empty part': 'unmanaged//a',
    'a dot': 'unmanaged/./a',
    'two dots': 'unmanaged/../sealed/a',
    'a NUL': 'unmanaged/a\0b',
    'a line feed': 'unmanaged/a\nb',
    'a backslash': 'unmanaged/..\\..\\a',
    'a lone surrogate': 'unmanaged/\ud800',
    'a key of 1,025 bytes': `unmanaged/${'a/'.repeat(507)}b`,
    'a key that is too long only as UTF-8': `unmanaged/${'é/'.repeat(400)}b`,
    'a part of 256 bytes': `unmanaged/${'a'.repeat(256)}`,
    'the name of an unfinished write': 'unmanaged/.rindle-part-abc',
    'Unicode outside unmanaged/': 'sealed/ä/o',
    'a space outside unmanaged/': 'sealed/a b/o',
  }
  for (const [what, key] of Object.entries(refused)) {
    it(`refuse ${what}`, () => {
      assert.equal(
        codeOf(() => normaliseKey(key)),
        'object_key_invalid',
      )
      assert.notEqual(problemOfKey(key), null)
    })
  }

  it('are known for the library’s own by their whole shape, and say which object they are for', () => {
    const [one, other] = ['01a20459-5065-7573-89b6-6c1798020b97', '01a20459-5065-7573-89b6-6c1798020b98']
    const own = [
      stagingKey(one, other),
      sealedKey(one, other, null),
      sealedKey(one, other, 'tar.gz'),
      variantKey(one, 'thumb', other, 'webp'),
    ]
    for (const key of own) assert.equal(objectIdOfKey(key), other, key)
    const foreign = [
      ...[
        `unmanaged/${one}/${other}`,
        `staging/${one}`,
        `staging/${one}/${other}.jpg`,
        `staging/${one}/${other}/x`,
        `sealed/${one}/photo.jpg`,
      ],
      ...[`sealed/2026/${other}.jpg`, `a/staging/${one}/${other}`, `variants/${one}/${other}`, `staging/${one}/${other.toUpperCase()}`],
      ...[`sealed/${one}/${other}.`, `sealed/${one}/${other}.a/b`, `variants/${one}/../${other}`],
    ]
    for (const key of foreign) assert.equal(objectIdOfKey(key), null, key)
  })

  it('may hold 1,024 bytes', () => {
    const key = `unmanaged/${'a/'.repeat(506)}bc`
    assert.equal(key.length, 1024)
    assert.equal(normaliseKey(key), key)
  })

  it('have one spelling: Unicode is brought into NFC, and dots within a part are only dots', () => {
    assert.equal(normaliseKey('unmanaged/A\u0308rger.pdf'), 'unmanaged/\u00c4rger.pdf')
    assert.notEqual(problemOfKey('unmanaged/A\u0308rger.pdf'), null)
    assert.equal(normaliseKey('unmanaged/日本語/写真 1.jpg'), 'unmanaged/日本語/写真 1.jpg')
    assert.equal(normaliseKey('unmanaged/..a/b../...'), 'unmanaged/..a/b../...')
  })

  it('are the app’s to write only below unmanaged/', () => {
    assert.equal(unmanagedKey('unmanaged/reports/2026.csv'), 'unmanaged/reports/2026.csv')
    for (const key of ['staging/a/b', 'sealed/a/b.jpg', 'variants/a/b/c.webp', 'reports/2026.csv', 'unmanaged', 'unmanagedish/a'])
      assert.equal(
        codeOf(() => unmanagedKey(key)),
        'object_key_reserved',
      )
    assert.equal(
      codeOf(() => unmanagedKey('unmanaged/../sealed/a')),
      'object_key_invalid',
    )
  })
})
