import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AssetState } from './asset.ts'
import { type AttachmentWish, planAttach, planSettle, releasedAssets, type SlotAsset, type SlotPlan, type SlotRow } from './attachment.ts'

const row = (assetId: string, standing: SlotRow['standing'], position: number | null = null): SlotRow => ({
  id: `row-of-${assetId}`,
  assetId,
  standing,
  position,
  alt: `alt of ${assetId}`,
  caption: null,
})
const asset = (state: AssetState, over: Partial<SlotAsset> = {}): SlotAsset => ({
  id: 'new',
  state,
  hasPassed: state === 'ready',
  hasBytes: true,
  ...over,
})

/** `-a` released, `!a` refused, `a=current` changed, `+new=pending` inserted, `*` behind what is due. */
const told = (plan: SlotPlan | null): string =>
  plan === null
    ? 'wait'
    : [
        ...plan.release.map(({ assetId }) => `-${assetId}`),
        ...plan.refuse.map(({ assetId }) => `!${assetId}`),
        ...plan.change.map(({ id, standing, due }) => `${id.replace('row-of-', '')}=${standing}${due ? '*' : ''}`),
        ...(plan.insert ? [`+${plan.insert.assetId}=${plan.insert.standing}${plan.insert.due ? '*' : ''}`] : []),
      ].join(' ')

describe('attaching', () => {
  const cases: readonly [holds: string, rows: readonly SlotRow[], state: AssetState, does: string][] = [
    ['an empty slot', [], 'ready', '+new=current'],
    ['an empty slot', [], 'validating', '+new=current*'],
    ['another', [row('old', 'current')], 'ready', '-old +new=current'],
    ['another', [row('old', 'current')], 'processing', '-old +new=current'],
    ['another', [row('old', 'current')], 'degraded', '-old +new=current'],
    ['another', [row('old', 'current')], 'analyzing', '+new=pending*'],
    ['another and one that waits', [row('old', 'current'), row('wait', 'pending')], 'ready', '-old -wait +new=current'],
    ['another and one that waits', [row('old', 'current'), row('wait', 'pending')], 'validating', '-wait +new=pending*'],
    ['only one that waits', [row('wait', 'pending')], 'validating', '-wait +new=pending*'],
    ['only one that waits', [row('wait', 'pending')], 'ready', '-wait +new=current'],
    ['the same', [row('new', 'current')], 'ready', 'new=current'],
    ['the same', [row('new', 'current')], 'validating', 'new=current*'],
    ['the same and one that waits', [row('new', 'current'), row('wait', 'pending')], 'ready', '-wait new=current'],
    ['another, and the same waits', [row('old', 'current'), row('new', 'pending')], 'analyzing', 'new=pending*'],
    ['another, and the same waited and has passed', [row('old', 'current'), row('new', 'pending')], 'ready', '-old new=current'],
    ['the same, which waits alone', [row('new', 'pending')], 'ready', 'new=current'],
    ['the same, which waits alone', [row('new', 'pending')], 'validating', 'new=pending*'],
  ]
  for (const [holds, rows, state, does] of cases) {
    it(`an asset that is ${state} where the slot holds ${holds}: ${does}`, () => {
      assert.equal(told(planAttach({ many: false }, asset(state), rows, {})), does)
    })
  }

  it('never replaces anything in a slot that takes many', () => {
    const rows = [row('a', 'current', 0), row('b', 'current', 7)]
    assert.equal(told(planAttach({ many: true }, asset('ready'), rows, {})), '+new=current')
    assert.equal(told(planAttach({ many: true }, asset('validating'), rows, {})), '+new=current*')
    assert.equal(told(planAttach({ many: true }, asset('ready', { id: 'a' }), rows, {})), 'a=current')
  })

  it('puts what is new after the last, or where it is told', () => {
    const position = (rows: SlotRow[], wish: AttachmentWish) => planAttach({ many: true }, asset('ready'), rows, wish).insert?.position
    assert.equal(position([], {}), 0)
    assert.equal(position([row('a', 'current', 0), row('b', 'current', 7)], {}), 8)
    assert.equal(position([row('a', 'current', null)], {}), 0)
    assert.equal(position([row('a', 'current', 3)], { position: 1 }), 1)
  })

  it('changes only the words that are given, and empties those that are null', () => {
    const [same] = planAttach({ many: false }, asset('ready'), [row('new', 'current', 2)], { caption: 'A caption' }).change
    assert.deepEqual(same, {
      ...{ id: 'row-of-new', was: 'current', standing: 'current', due: false },
      ...{ alt: 'alt of new', caption: 'A caption', position: 2 },
    })
    assert.equal(planAttach({ many: false }, asset('ready'), [row('new', 'current')], { alt: null }).change[0]?.alt, null)
  })

  it('has every released asset looked at once', () => {
    const plan = planAttach({ many: false }, asset('ready'), [row('old', 'current'), row('wait', 'pending')], {})
    assert.deepEqual(releasedAssets(plan), ['old', 'wait'])
  })
})

describe('settling', () => {
  const due = (slot: string, from: SlotRow) => ({ ...from, slot, due: true })
  const still = (slot: string, from: SlotRow) => ({ ...from, slot, due: false })
  const slots = [
    due('one', row('new', 'pending')),
    still('one', row('old', 'current')),
    due('two', { ...row('new', 'current'), id: 'row-of-two' }),
  ]

  const cases: readonly [what: string, of: SlotAsset, does: string][] = [
    ['waits while the gate has yet to speak', asset('analyzing'), 'wait'],
    ['waits for an asset that was pardoned', asset('validating', { hasPassed: true }), 'wait'],
    ['puts what has passed in its place', asset('ready'), '-old new=current two=current'],
    ['puts what has passed in its place before its variants are done', asset('processing'), '-old new=current two=current'],
    ['takes out what was refused while its bytes are kept', asset('quarantined', { hasPassed: false }), '!new !new'],
    ['releases what was refused once its bytes are gone', asset('quarantined', { hasPassed: false, hasBytes: false }), '-new -new'],
    [
      'keeps what was refused after it had passed, but lets it replace nothing',
      asset('quarantined', { hasPassed: true }),
      '-new two=current',
    ],
    ['has nothing to say about what is being purged', asset('deleted'), 'wait'],
  ]
  for (const [what, of, does] of cases) it(what, () => assert.equal(told(planSettle(of, slots)), does))

  it('lets go only of what stands in the same slot', () => {
    const others = [...slots, still('two', row('other', 'current')), still('three', row('third', 'current'))]
    assert.equal(told(planSettle(asset('ready'), others)), '-old new=current two=current')
  })

  it('fills a slot whose former picture is gone', () => {
    assert.equal(told(planSettle(asset('ready'), [due('one', row('new', 'pending'))])), 'new=current')
  })
})
