import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ImageRecipe } from '../../../core/recipe.ts'
import { cutOf, headSizeOf, regionIn, smallestCovering, type Size } from './geometry.ts'

const recipe = (given: Partial<ImageRecipe>): ImageRecipe => ({
  kind: 'image',
  mode: 'fit',
  width: null,
  height: null,
  format: 'auto',
  quality: 80,
  effort: 4,
  background: '#ffffff',
  focal: { x: 0.5, y: 0.5 },
  animated: false,
  ...given,
})

const photo = { width: 6000, height: 4000 }
const avatar = { width: 120, height: 80 }

describe('what a recipe cuts out of a picture', () => {
  const rows = [
    ['fit keeps the aspect ratio inside the box', { width: 128, height: 128 }, photo, '128x85'],
    ['fit by one side', { height: 100 }, photo, '150x100'],
    ['fit never enlarges', { width: 500, height: 500 }, avatar, '120x80'],
    ['fit never rounds a side to zero', { width: 64, height: 64 }, { width: 1, height: 3000 }, '1x64'],
    ['fill is exactly as large as asked', { mode: 'fill', width: 300, height: 300 }, photo, '300x300'],
    ['fill enlarges a small picture', { mode: 'fill', width: 300, height: 300 }, avatar, '300x300'],
    ['crop is as large as asked where there is enough', { mode: 'crop', width: 300, height: 100 }, photo, '300x100'],
    ['crop of a small picture keeps the shape and does not enlarge', { mode: 'crop', width: 300, height: 300 }, avatar, '80x80'],
    ['crop of a line has no side of zero', { mode: 'crop', width: 300, height: 10 }, { width: 1, height: 3000 }, '1x1'],
  ] as const
  for (const [title, given, source, out] of rows) {
    it(title, () => {
      const cut = cutOf(recipe(given), source)
      assert.equal(`${cut.out.width}x${cut.out.height}`, out)
      assert.ok(cut.region.left >= 0 && cut.region.left + cut.region.width <= source.width + 1e-6)
      assert.ok(cut.region.top >= 0 && cut.region.top + cut.region.height <= source.height + 1e-6)
    })
  }

  it('puts a crop around the focal point as far as the picture goes, and a fill around the middle', () => {
    const crop = (x: number, y: number) => cutOf(recipe({ mode: 'crop', width: 100, height: 100, focal: { x, y } }), photo).region
    assert.deepEqual(crop(0.5, 0.5), { left: 1000, top: 0, width: 4000, height: 4000 })
    assert.equal(crop(0, 0).left, 0)
    assert.equal(crop(1, 1).left, 2000)
    assert.equal(crop(0.4, 0).left, 400)
    assert.equal(cutOf(recipe({ mode: 'fill', width: 100, height: 100, focal: { x: 0, y: 0 } }), photo).region.left, 1000)
  })
})

describe('the chain from large to small', () => {
  const cuts = [
    recipe({ width: 1024 }),
    recipe({ mode: 'crop', width: 500, height: 500, focal: { x: 0, y: 0 } }),
    recipe({ width: 128 }),
  ].map((one) => cutOf(one, photo))

  it('decodes to exactly the largest variant, and to more only where a crop needs it', () => {
    assert.deepEqual(headSizeOf(photo, cuts, 100), { width: 1024, height: 683 })
    const close = cutOf(recipe({ mode: 'crop', width: 2000, height: 2000 }), photo)
    assert.deepEqual(headSizeOf(photo, [...cuts, close], 100), { width: 3000, height: 2000 })
  })

  it('decodes to the placeholder where there are no variants, and never beyond the picture', () => {
    assert.deepEqual(headSizeOf(photo, [], 100), { width: 100, height: 67 })
    assert.deepEqual(headSizeOf(avatar, [cutOf(recipe({ mode: 'fill', width: 900, height: 900 }), avatar)], 100), avatar)
  })

  it('takes each cut from the smallest copy that covers it', () => {
    const copies: [Size, ...Size[]] = [
      { width: 3000, height: 2000 },
      { width: 1024, height: 683 },
      { width: 128, height: 85 },
    ]
    assert.equal(smallestCovering(copies, photo, cutOf(recipe({ width: 128 }), photo)).width, 128)
    assert.equal(smallestCovering(copies, photo, cutOf(recipe({ width: 129 }), photo)).width, 1024)
    assert.equal(smallestCovering(copies, photo, cutOf(recipe({ mode: 'crop', width: 683, height: 683 }), photo)).width, 1024)
    assert.equal(smallestCovering(copies, photo, cutOf(recipe({ mode: 'crop', width: 700, height: 700 }), photo)).width, 3000)
    assert.equal(smallestCovering(copies, photo, cutOf(recipe({ mode: 'fill', width: 9000, height: 9000 }), photo)).width, 3000)
  })

  it('carries a region over in whole pixels that stay inside the copy', () => {
    const region = { left: 5999.6, top: 3999.6, width: 0.4, height: 0.4 }
    assert.deepEqual(regionIn({ width: 7, height: 5 }, photo, region), { left: 6, top: 4, width: 1, height: 1 })
  })
})
