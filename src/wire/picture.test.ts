import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Drawable, type Drawing, pictureModel } from './picture.ts'

const drawing = (url: string, width: number, height: number, contentType: string | null = 'image/webp'): Drawing => ({
  url,
  width,
  height,
  contentType,
})
const photo: Drawable = {
  original: drawing('/o', 3000, 2000, 'image/jpeg'),
  variants: {
    thumb: drawing('/t', 128, 128),
    small: drawing('/s', 300, 200),
    large: drawing('/l', 1024, 683),
    modern: drawing('/m', 1024, 683, 'image/avif'),
  },
  placeholder: null,
}

describe('the model of a picture', () => {
  it('has a source for a media condition and an image for everybody else', () => {
    assert.deepEqual(pictureModel(photo, { variants: [['thumb', '(max-width: 480px)'], 'large'] }), {
      sources: [{ media: '(max-width: 480px)', type: 'image/webp', srcset: '/t', sizes: null, width: 128, height: 128 }],
      img: { src: '/l', srcset: null, sizes: null, width: 1024, height: 683 },
      background: null,
    })
  })

  it('takes conditions as pairs and as records, in the order given', () => {
    const model = pictureModel(photo, { variants: [{ name: 'large', media: 'print' }, ['thumb', 'screen'], { name: 'small' }] })
    assert.deepEqual(
      model?.sources.map(({ media }) => media),
      ['print', 'screen'],
    )
    assert.equal(model?.img.src, '/s')
  })

  it('lets the browser choose by width', () => {
    const { img } = pictureModel(photo, { variants: ['large', 'small'] }) ?? {}
    assert.deepEqual(img, { src: '/l', srcset: '/s 300w, /l 1024w', sizes: '(min-width: 1024px) 1024px, 100vw', width: 1024, height: 683 })
    assert.equal(pictureModel(photo, { variants: ['large', 'small'], sizes: '50vw' })?.img.sizes, '50vw')
    assert.equal(pictureModel(photo, { variants: ['small'], sizes: '50vw' })?.img.srcset, '/s 300w')
  })

  it('offers the format that saves most first', () => {
    const model = pictureModel(photo, { variants: ['large', 'modern'] })
    assert.deepEqual(model?.sources, [{ media: null, type: 'image/avif', srcset: '/m', sizes: null, width: 1024, height: 683 }])
    assert.equal(model?.img.src, '/l')
  })

  it('takes every variant with the proportions of the original by itself, and no cut one', () => {
    const model = pictureModel(photo)
    assert.equal(model?.img.srcset, '/s 300w, /l 1024w')
    assert.deepEqual(
      model?.sources.map(({ srcset }) => srcset),
      ['/m'],
    )
  })

  it('names each width once', () => {
    const twice = { ...photo, variants: { one: drawing('/1', 300, 200), two: drawing('/2', 300, 200), three: drawing('/3', 600, 400) } }
    assert.equal(pictureModel(twice)?.img.srcset, '/2 300w, /3 600w')
  })

  it('falls back to the original, and to the placeholder only when there is nothing else', () => {
    assert.equal(pictureModel(photo, { variants: ['gone'], placeholder: '/p' })?.img.src, '/o')
    assert.equal(pictureModel({ ...photo, original: null }, { variants: [['small', 'print']], placeholder: '/p' })?.img.src, '/s')
    assert.deepEqual(pictureModel(null, { placeholder: '/p' })?.img, { src: '/p', srcset: null, sizes: null, width: null, height: null })
    assert.equal(pictureModel({ original: null, variants: {}, placeholder: null }), null)
    assert.equal(pictureModel(null), null)
  })

  it('does not mistake inherited names for variants', () => {
    assert.equal(pictureModel(photo, { variants: ['constructor', '__proto__'] })?.img.src, '/o')
  })

  it('keeps addresses whole inside a srcset', () => {
    const odd = { ...photo, variants: { a: drawing('/a b?x=1,2,', 10, 10), b: drawing('/b', 20, 20) } }
    assert.equal(pictureModel(odd, { variants: ['a', 'b'] })?.img.srcset, '/a%20b?x=1,2%2C 10w, /b 20w')
  })

  it('puts the colours of an opaque picture behind it as a small PNG, and nothing behind a transparent or damaged one', () => {
    const opaque = '3OcRJYB4d3h/iIeHeEh3eIhw+j2w'
    const bytes = Buffer.from(opaque, 'base64')
    bytes[2] = (bytes[2] ?? 0) | 0x80
    const background = pictureModel({ ...photo, placeholder: opaque })?.background ?? ''
    assert.match(background, /^data:image\/png;base64,[A-Za-z0-9+/]+=*$/)
    assert.ok(background.length < 2500, `${background.length} characters`)
    assert.equal(pictureModel({ ...photo, placeholder: opaque }, { blur: false })?.background, null)
    for (const placeholder of [bytes.toString('base64'), '', '!!', 'AA=='])
      assert.equal(pictureModel({ ...photo, placeholder })?.background, null)
  })
})
