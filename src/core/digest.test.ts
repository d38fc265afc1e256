import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canonicalJson, recipeDigest, recipeDigests } from './digest.ts'
import { image } from './image-recipe.ts'

describe('recipe digests', () => {
  const pinned: readonly [string, ReturnType<typeof image>, string][] = [
    ['a thumbnail', image({ width: 128, height: 128, format: 'webp' }), '9f3ac88d4e5de0b3c3857442e6d88ee60d9b1564c1747ccdefc1ef38d5bbd58e'],
    [
      'a cover',
      image({ mode: 'fill', width: 1200, height: 630, format: 'jpeg', quality: 82, focal: { x: 0.5, y: 0.25 } }),
      '9764538d1ddd517148da303dfbec3014eb813a6f81892375eff0c4620b8bd9cd',
    ],
    [
      'AVIF with its own default quality',
      image({ width: 2048, format: 'avif' }),
      '9c0d2ff9dfd500f73c26d561311e2244d7d1d1ed61b6193b26a00bb09a7b963a',
    ],
  ]
  for (const [what, recipe, digest] of pinned) it(`stay what they were for ${what}`, () => assert.equal(recipeDigest(recipe), digest))

  it('do not depend on the order of keys, at any depth', () => {
    const recipe = image({ width: 7, focal: { x: 0.1, y: 0.9 } })
    const { kind, focal, ...rest } = recipe
    const reversed = Object.fromEntries(Object.entries(rest).reverse())
    assert.equal(canonicalJson({ ...reversed, focal: { y: focal.y, x: focal.x }, kind }), canonicalJson(recipe))
  })

  it('do not depend on the recipes beside them', () => {
    const thumb = image({ width: 1 })
    assert.equal(recipeDigests({ thumb }).thumb, recipeDigests({ other: image({ width: 2 }), thumb }).thumb)
  })

  it('differ when anything in the recipe does', () => {
    const base = image({ width: 10, height: 10 })
    const others = [
      { width: 11 },
      { mode: 'fill' },
      { format: 'png' },
      { quality: 81 },
      { effort: 5 },
      { background: '#000000' },
      { animated: true },
    ] as const
    const digests = new Set([base, ...others.map((change) => ({ ...base, ...change }))].map(recipeDigest))
    assert.equal(digests.size, others.length + 1)
  })
})
