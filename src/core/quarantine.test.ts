import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isPardoned, isReleasable, type Pardon, pardonAfter } from './quarantine.ts'

const said = { actor: 'ops', reason: 'a false alarm', at: '2026-01-01T12:00:00.000Z' }
const found = (scanner: string, threat: string) => ({ code: 'malware_found', details: { scanner, threat } })
const after = (...verdicts: readonly { readonly code: string; readonly details: object }[]): Pardon | null =>
  verdicts.reduce<Pardon | null>((pardon, verdict) => pardonAfter(pardon, verdict, said), null)

describe('a pardon', () => {
  for (const [pardoned, again, covered] of [
    [found('a', 'Eicar'), found('a', 'Eicar'), true],
    [found('a', 'Eicar'), found('a', 'Other'), false],
    [found('a', 'Eicar'), found('b', 'Eicar'), false],
    [{ code: 'upload_checksum_mismatch', details: {} }, { code: 'upload_checksum_mismatch', details: {} }, true],
    [{ code: 'scan_limit_exceeded', details: { scanner: 'a' } }, { code: 'scan_limit_exceeded', details: { scanner: 'a' } }, true],
    [{ code: 'scan_limit_exceeded', details: { scanner: 'a' } }, found('a', 'Eicar'), false],
    [{ code: 'mime_not_allowed', details: {} }, { code: 'mime_not_allowed', details: {} }, false],
    [{ code: 'worker_lost', details: {} }, { code: 'decoder_killed', details: {} }, false],
  ] as const)
    it(`of ${JSON.stringify(pardoned)} ${covered ? 'covers' : 'does not cover'} ${JSON.stringify(again)}`, () =>
      assert.equal(isPardoned(after(pardoned), again), covered))

  it('holds on beside the next one, so that two scanners cannot send a file back and forth', () => {
    const both = after(found('a', 'One'), found('b', 'Two'))
    assert.equal(both?.threat, 'Two')
    assert.ok(isPardoned(both, found('a', 'One')) && isPardoned(both, found('b', 'Two')))
    assert.ok(!isPardoned(null, found('a', 'One')))
  })

  it('keeps the last twenty', () => {
    const many = after(...Array.from({ length: 30 }, (_, i) => found('a', `T${i}`)))
    assert.equal(many?.earlier?.length, 19)
    assert.ok(many?.earlier?.every(({ earlier }) => earlier === undefined))
    assert.ok(isPardoned(many, found('a', 'T10')) && !isPardoned(many, found('a', 'T9')))
  })

  it('cannot be had for bytes that are broken or end decoders', () =>
    assert.deepEqual(
      [
        ...['decode_failed', 'decode_too_large', 'decoder_killed', 'external_reference', 'file_empty', 'type_unknown'],
        ...['malware_found', 'worker_lost'],
      ].filter(isReleasable),
      ['malware_found', 'worker_lost'],
    ))
})
