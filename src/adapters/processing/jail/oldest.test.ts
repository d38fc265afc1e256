import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outdatedIn } from './oldest.ts'

describe('the oldest sharp and libvips that are given untrusted files', () => {
  const rows: readonly [sharp: string, libvips: string, complaint: string | null][] = [
    ['0.35.0', '8.18.0', null],
    ['0.35.5', '8.18.7', null],
    ['0.100.0', '8.18.0', null],
    ['1.0.0', '9.0.0', null],
    ['0.36.0-rc.1', '8.19.0', null],
    ['0.34.9', '8.18.0', 'sharp 0.34.9 is too old to be given untrusted files; 0.35.0 or newer is needed.'],
    ['0.35.5', '8.17.3', 'libvips 8.17.3 is too old to be given untrusted files; 8.18.0 or newer is needed.'],
    ['0.35.5', '7.99.9', 'libvips 7.99.9 is too old to be given untrusted files; 8.18.0 or newer is needed.'],
  ]
  for (const [sharp, libvips, complaint] of rows)
    it(`${complaint === null ? 'takes' : 'refuses'} sharp ${sharp} with libvips ${libvips}`, () => {
      assert.equal(outdatedIn({ sharp, libvips })?.message ?? null, complaint)
    })
})
