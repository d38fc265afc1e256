import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RindleError } from '../../core/errors.ts'
import { exitCodeOf, exitCodeOfReport, exitCodes } from './exit-code.ts'

describe('the exit code of a failure', () => {
  const available = (inGate: boolean) => new RindleError('asset_not_available', { assetId: 'a', state: 'validating', inGate })

  for (const [title, err, code] of [
    ['says of what this library did not expect that it is internal', new TypeError('x'), exitCodes.internal],
    ['says retryable where the error does', new RindleError('database_unavailable', { operation: 'open' }), exitCodes.retryable],
    ['says retryable while the gate has yet to speak', available(true), exitCodes.retryable],
    ['says refused once it has', available(false), exitCodes.refused],
    ['says usage of a flag', new RindleError('argument_invalid', { argument: '--bytes', problem: 'a whole number' }), exitCodes.usage],
    ['and refused of any other argument', new RindleError('argument_invalid', { argument: 'role', problem: 'none' }), exitCodes.refused],
    ['says configuration where the installation is to blame', new RindleError('app_not_found', { looked: [] }), exitCodes.configuration],
  ] as const)
    it(title, () => assert.equal(exitCodeOf(err), code))
})

describe('the exit code of a report', () => {
  it('says whether all is well, and retryable of one that was stopped, whatever it found until then', () => {
    assert.equal(exitCodeOfReport({ ok: true }), exitCodes.ok)
    assert.equal(exitCodeOfReport({ ok: false }), exitCodes.notOk)
    for (const ok of [true, false]) assert.equal(exitCodeOfReport({ ok, stopped: true }), exitCodes.retryable)
  })
})
