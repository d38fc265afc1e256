import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type AssetState, assetMachine } from './asset.ts'
import {
  chooseOriginal,
  chooseVariant,
  chooseVariantOrOriginal,
  dispositionHeader,
  dispositionOf,
  notAvailable,
  type ServedAsset,
  publicSignature,
  urlTimes,
} from './delivery-policy.ts'
import { isRindleError } from './errors.ts'
import { unplayed } from './played.ts'
import type { VariantState } from './variant.ts'

const at = new Date('2026-01-01T12:00:00Z')
const object = (id: string, contentType: string) => ({ id, store: 's', key: `k/${id}`, contentType, byteSize: 1 })

const served = (
  state: AssetState,
  options: { type?: string; variant?: VariantState; without?: 'original' | 'variant' } = {},
): ServedAsset => {
  const asset = {
    ...{
      id: 'a',
      profile: 'p',
      state,
      revision: 0,
      kind: null,
      owner: null,
      filename: 'me.jpg',
      contentType: options.type ?? 'image/jpeg',
    },
    ...{
      byteSize: 1,
      width: 1,
      height: 1,
      ...unplayed,
      placeholder: null,
      dominantColor: null,
    },
    ...{ metadata: {}, receivedSha256: null, objectId: 'o', error: null, passedAt: null, insertedAt: at, stateChangedAt: at },
  }
  const variant = {
    ...{
      id: 'v',
      assetId: 'a',
      name: 'thumb',
      outputKind: 'image' as const,
      state: options.variant ?? 'ready',
      progress: 100,
      objectId: 'vo',
    },
    ...{ contentType: 'image/webp', byteSize: 1, width: 1, height: 1 },
    ...{ durationMs: null, hasAudioTrack: null, grid: null, error: null, stateChangedAt: at },
  }
  return {
    asset,
    original: options.without === 'original' ? null : object('o', options.type ?? 'image/jpeg'),
    variants: [{ variant, object: options.without === 'variant' ? null : object('vo', 'image/webp') }],
  }
}

describe('what a URL may lead to', () => {
  const deliverable = new Set(['available', 'processing', 'transcoding', 'ready', 'degraded'])
  for (const state of Object.keys(assetMachine.states) as AssetState[]) {
    it(`${state}: ${deliverable.has(state) ? 'the original and the variant' : 'nothing'}`, () => {
      assert.equal(chooseOriginal(served(state)) !== null, deliverable.has(state))
      assert.equal(chooseVariant(served(state), 'thumb') !== null, deliverable.has(state))
      assert.equal(chooseVariantOrOriginal(served(state), 'thumb') !== null, deliverable.has(state))
    })
  }

  const states: readonly [VariantState, boolean][] = [
    ['ready', true],
    ['stale', true],
    ['processing', true],
    ['failed', true],
    ['missing', false],
    ['purged', false],
  ]
  for (const [variant, is] of states)
    it(`a ${variant} variant that has an object is ${is ? '' : 'not '}served`, () =>
      assert.equal(chooseVariant(served('ready', { variant }), 'thumb') !== null, is))

  it('the original stands in only for types that browsers draw', () => {
    assert.equal(chooseVariantOrOriginal(served('processing', { without: 'variant' }), 'thumb')?.name, null)
    assert.equal(chooseVariantOrOriginal(served('processing', { without: 'variant', type: 'image/tiff' }), 'thumb'), null)
    assert.equal(chooseVariantOrOriginal(served('degraded', { without: 'original', variant: 'missing' }), 'thumb'), null)
  })

  it('says whether waiting helps', () => {
    assert.equal(notAvailable(served('validating'), null).retryable, true)
    assert.equal(notAvailable(served('quarantined'), 'thumb').retryable, false)
    const waiting = notAvailable(served('processing', { type: 'image/tiff', variant: 'processing' }), 'thumb')
    assert.deepEqual([waiting.code, waiting.retryable], ['variant_not_available', true])
  })
})

describe('how a file arrives', () => {
  const cases: readonly ['media' | 'file', string, 'inline' | 'attachment' | undefined, string][] = [
    ['media', 'image/png', undefined, 'inline'],
    ['media', 'image/png', 'attachment', 'attachment'],
    ['media', 'image/svg+xml', 'inline', 'attachment'],
    ['media', 'text/html', undefined, 'attachment'],
    ['media', 'application/pdf', 'inline', 'attachment'],
    ['file', 'image/png', 'inline', 'attachment'],
    ['file', 'video/mp4', undefined, 'attachment'],
  ]
  for (const [kind, type, disposition, expected] of cases)
    it(`${type} of a ${kind} profile, ${disposition ?? 'nothing'} asked: ${expected}`, () =>
      assert.equal(dispositionOf({ kind }, type, disposition ? { disposition } : {}), expected))

  it('names a variant after the file, with its own extension', () => {
    const choice = { name: 'thumb', object: object('v', 'image/webp') }
    assert.match(
      dispositionHeader({ kind: 'media' }, choice, 'Zoë.jpg', {}),
      /^inline; filename="Zoe-thumb\.webp"; filename\*=UTF-8''Zo%C3%AB-thumb\.webp$/,
    )
    assert.match(dispositionHeader({ kind: 'media' }, { ...choice, name: null }, 'Zoë.jpg', { filename: 'a"b.png' }), /filename="a_b\.png"/)
  })
})

describe('how long a URL lives', () => {
  const policy = { public: false, signedUrlTtlSeconds: 900, authorizer: null }

  it('as the profile says, or as asked', () => {
    assert.equal(urlTimes(policy, at).expiresAt.getTime() - at.getTime(), 900_000)
    assert.equal(urlTimes(policy, at, 60).expiresAt.getTime() - at.getTime(), 60_000)
    for (const wrong of [0, -1, 1.5, 604_801, Number.NaN])
      assert.throws(
        () => urlTimes(policy, at, wrong),
        (err) => isRindleError(err) && err.code === 'argument_invalid',
      )
  })

  it('for ever where the profile is public, with the same times whenever it is made', () => {
    const open = { ...policy, public: true }
    assert.deepEqual(urlTimes(open, at), urlTimes(open, new Date(at.getTime() + 1)))
  })

  it('a week from the day’s beginning where a public file has to be signed', () => {
    const noon = publicSignature(new Date('2026-01-01T12:00:00.123Z'))
    assert.deepEqual(noon, { at: new Date('2026-01-01T00:00:00Z'), ttlSeconds: 604_800 })
    assert.deepEqual(publicSignature(new Date('2026-01-01T23:59:59.999Z')), noon)
    assert.deepEqual(publicSignature(new Date('2026-01-02T00:00:00Z')).at, new Date('2026-01-02T00:00:00Z'))
  })
})
