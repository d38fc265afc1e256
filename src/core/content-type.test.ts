import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  browserDrawableTypes,
  canonicalType,
  contentTypeOf,
  contentTypes,
  decodableImageTypes,
  extensionFits,
  extensionIn,
  extensionOf,
  filmTypeOf,
  inertTypes,
  isTextType,
  kindOf,
  playableTypes,
  soundTypeOf,
  textTypes,
  typeInContainer,
} from './content-type.ts'

describe('content types', () => {
  it('has one entry per type, and no alias that is another type', () => {
    const names = contentTypes.flatMap((entry) => [entry.type, ...(entry.aliases ?? [])])
    assert.deepEqual(
      names.filter((name, at) => names.indexOf(name) !== at),
      [],
    )
    assert.deepEqual(
      names.filter((name) => name !== name.toLowerCase() || name.includes(';')),
      [],
    )
  })

  it('writes an extension that leads back to its type', () => {
    for (const { type, extensions } of contentTypes) {
      assert.equal(contentTypeOf(extensions[0]), type, type)
      assert.equal(extensionOf(type), extensions[0])
      for (const extension of extensions) assert.ok(extensionFits(extension, type), `${extension} ${type}`)
    }
  })

  it('resolves the names that sniffers and browsers use', () => {
    const rows = [
      ['image/jpg', 'image/jpeg'],
      ['image/apng', 'image/png'],
      ['Video/VND.AVI', 'video/x-msvideo'],
      ['audio/x-m4a', 'audio/mp4'],
      ['audio/ogg; codecs=opus', 'audio/ogg'],
      ['image/heif', 'image/heic'],
      ['application/x-thing', 'application/x-thing'],
    ] as const
    for (const [given, canonical] of rows) assert.equal(canonicalType(given), canonical)
  })

  it('knows the extension of a name, whatever its case, and that a dot file has none', () => {
    const rows = [
      ['me.JPG', 'jpg'],
      ['archive.tar.gz', 'gz'],
      ['folder.d/name', null],
      ['.jpg', null],
      ['name.', null],
      ['a\\b.png', 'png'],
      ['фото.jpeg', 'jpeg'],
    ] as const
    for (const [filename, extension] of rows) assert.equal(extensionIn(filename), extension, filename)
  })

  it('takes any spelling of an extension that goes with the type, and no other', () => {
    assert.ok(extensionFits('.JPEG', 'image/jpeg'))
    assert.ok(extensionFits('jpe', 'image/jpg'))
    assert.ok(extensionFits('ogg', 'video/ogg') && extensionFits('ogg', 'audio/ogg'))
    assert.ok(!extensionFits('png', 'image/jpeg'))
    assert.ok(!extensionFits('thing', 'application/x-thing'))
    assert.equal(contentTypeOf('thing'), null)
  })

  it('serves inline nothing that can run in a page', () => {
    for (const type of ['image/svg+xml', 'text/html', 'application/xhtml+xml', 'application/xml', 'application/pdf', 'text/javascript'])
      assert.ok(!inertTypes.has(type), type)
    for (const type of ['image/jpeg', 'image/png', 'image/webp', 'image/avif', 'image/gif']) {
      assert.ok(inertTypes.has(type) && browserDrawableTypes.has(type), type)
    }
    assert.ok(!browserDrawableTypes.has('image/tiff') && !browserDrawableTypes.has('image/heic'))
  })

  it('decodes seven image types', () => {
    assert.deepEqual([...decodableImageTypes].sort(), [
      'image/avif',
      'image/gif',
      'image/heic',
      'image/jpeg',
      'image/png',
      'image/tiff',
      'image/webp',
    ])
  })

  it('calls text what has no magic number', () => {
    assert.ok(isTextType('text/csv; charset=utf-8') && isTextType('text/x-anything') && isTextType('application/json'))
    assert.ok(!isTextType('application/pdf') && !isTextType('image/svg+xml') && !isTextType('application/octet-stream'))
    assert.ok(textTypes.has('text/plain'))
  })

  it('looks through a container to what its extension says, when it is used for that', () => {
    assert.equal(typeInContainer('application/x-cfb', 'doc'), 'application/msword')
    assert.equal(typeInContainer('application/x-cfb', 'jpg'), 'application/x-cfb')
    assert.equal(typeInContainer('application/zip', 'docx'), 'application/zip')
  })

  it('takes one container of phones for another, and for sound, by its extension', () => {
    const rows = [
      ['video/mp4', 'm4a', 'audio/mp4'],
      ['video/mp4', '3gp', 'video/3gpp'],
      ['video/3gpp', 'mp4', 'video/mp4'],
      ['video/webm', 'weba', 'audio/webm'],
      ['video/webm', 'webm', 'video/webm'],
      ['video/quicktime', 'mp4', 'video/quicktime'],
      ['video/mp4', 'mp3', 'video/mp4'],
    ] as const
    for (const [sniffed, extension, type] of rows) assert.equal(typeInContainer(sniffed, extension), type, `${sniffed} .${extension}`)
  })

  it('knows by what name a container goes with a picture and without one', () => {
    assert.deepEqual(['video/mp4', 'video/webm', 'video/ogg', 'video/quicktime'].map(soundTypeOf), [
      'audio/mp4',
      'audio/webm',
      'audio/ogg',
      null,
    ])
    assert.deepEqual(['audio/mp4', 'audio/mpeg', 'video/webm'].map(filmTypeOf), ['video/mp4', 'audio/mpeg', 'video/webm'])
  })

  it('plays nothing that is drawn, and serves all that it plays inline', () => {
    assert.equal(playableTypes.size, 20)
    for (const type of playableTypes) {
      assert.ok(inertTypes.has(type) && !decodableImageTypes.has(type), type)
      assert.match(type, /^(audio|video)\//)
    }
    for (const type of ['video/x-flv', 'video/x-ms-wmv', 'audio/midi', 'image/gif']) assert.ok(!playableTypes.has(type), type)
  })

  it('sorts types into kinds', () => {
    assert.deepEqual(['image/png', 'video/mp4', 'audio/x-m4a', 'application/pdf'].map(kindOf), ['image', 'video', 'audio', 'file'])
  })
})
