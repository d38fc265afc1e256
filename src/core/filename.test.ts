import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contentDisposition, normaliseFilename } from './filename.ts'

const bytes = (text: string): number => Buffer.byteLength(text)

const names: readonly [given: string, kept: string][] = [
  ['me.jpg', 'me.jpg'],
  ['Übung macht den Meister.pdf', 'Übung macht den Meister.pdf'],
  ['A\u0308rger.pdf', '\u00c4rger.pdf'],
  ['写真 1.jpg', '写真 1.jpg'],
  ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\me\\Pictures\\me.jpg', 'me.jpg'],
  ['/tmp/a\\b/c.txt', 'c.txt'],
  ['folder/', 'file'],
  ['', 'file'],
  ['...', 'file'],
  [' .. . ', 'file'],
  ['\u00a0photo.jpg\u00a0. ', 'photo.jpg'],
  ['.htaccess', 'htaccess'],
  ['name.', 'name'],
  ['a\0b\r\nc\u0085.txt', 'a_b_c_.txt'],
  ['a\0\u0007\u202e\u0001b.txt', 'a_b.txt'],
  ['a_\0_b.txt', 'a___b.txt'],
  ['\ufeffme.jpg\r\n', 'me.jpg'],
  ['me.jpg\0', 'me.jpg_'],
  ['\u0007', '_'],
  ['invoice\u202egpj.exe', 'invoice_gpj.exe'],
  ['a\u2066b\u2069\u200f\ufeff.txt', 'a_b_.txt'],
  ['a\u200b\u0308.txt', 'a_\u0308.txt'],
  ['broken\ud800.txt', 'broken\ufffd.txt'],
  ['semi;colon"quote\'.txt', 'semi;colon"quote\'.txt'],
]

describe('a filename', () => {
  for (const [given, kept] of names)
    it(`${JSON.stringify(given)} is kept as ${JSON.stringify(kept)}`, () => {
      assert.equal(normaliseFilename(given), kept)
    })

  it('has at most 255 bytes and keeps its extension', () => {
    const long = normaliseFilename(`${'ü'.repeat(400)}.jpeg`)
    assert.ok(bytes(long) <= 255 && bytes(long) > 250, String(bytes(long)))
    assert.match(long, /^ü+\.jpeg$/)
    const emoji = normaliseFilename(`${'😀'.repeat(400)}.png`)
    assert.ok(bytes(emoji) <= 255)
    assert.match(emoji, /^(?:😀)+\.png$/u)
  })

  it('loses an extension that is none', () => {
    assert.ok(bytes(normaliseFilename(`a.${'b'.repeat(400)}`)) <= 255)
  })

  it('is bounded however long the given one is, and still ends as that one did', () => {
    const name = normaliseFilename(`${'. '.repeat(2_000_000)}x${' .'.repeat(2_000_000)}y.tiff`)
    assert.ok(bytes(name) <= 255)
    assert.match(name, /\.tiff$/)
  })

  it('does not change when it is normalised again', () => {
    for (const given of [
      ...names.map(([name]) => name),
      `${'e\u0301'.repeat(300)}.jpg`,
      `${'a '.repeat(200)}.jpg`,
      `${'. '.repeat(300)}x.y`,
      `x.${'é'.repeat(32)}`,
    ]) {
      const once = normaliseFilename(given)
      assert.equal(normaliseFilename(once), once)
    }
  })
})

describe('Content-Disposition', () => {
  it('carries the real name in UTF-8 and one in ASCII beside it', () => {
    assert.equal(contentDisposition('attachment', 'me.jpg'), `attachment; filename="me.jpg"; filename*=UTF-8''me.jpg`)
    assert.equal(contentDisposition('inline', 'Übung 1.pdf'), `inline; filename="Ubung 1.pdf"; filename*=UTF-8''%C3%9Cbung%201.pdf`)
    assert.equal(contentDisposition('inline', '写真.jpg'), `inline; filename="__.jpg"; filename*=UTF-8''%E5%86%99%E7%9C%9F.jpg`)
  })

  it('cannot be broken out of', () => {
    const nasty = contentDisposition('attachment', 'a"; filename="x.html\r\nSet-Cookie: a=b\\%41(*\').txt')
    assert.equal(nasty.split('\n').length, 1)
    assert.equal(nasty.match(/"/g)?.length, 2)
    assert.match(nasty, /^attachment; filename="[ !#-$&-[\]-~]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+\-.^_`|~%]*$/)
  })

  it('is printable ASCII for every character there is', () => {
    for (let code = 0; code < 0x3000; code += 1) assert.match(contentDisposition('inline', `a${String.fromCharCode(code)}b`), /^[ -~]+$/)
  })
})
