import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RindleError } from '../../core/errors.ts'
import { exitCodeOf, exitCodes } from './exit-code.ts'

describe('the exit code of a failure', () => {
  const available = (inGate: boolean) => new RindleError('asset_not_available', { assetId: 'a', state: 'validating', inGate })

  for (const [title, err, code] of [
    ['says of what this library did not expect that it is internal', new TypeError('x'), exitCodes.internal],
    ['says retryable where the error does', new RindleError('database_unavailable', { operation: 'open' }), exitCodes.retryable],
    ['says retryable while the gate has yet to speak', available(true), exitCodes.retryable],
    ['says refused once it has', available(false), exitCodes.refused],
    ['says configuration where the installation is to blame', new RindleError('app_not_found', { looked: [] }), exitCodes.configuration],
  ] as const)
    it(title, () => assert.equal(exitCodeOf(err), code))
})
