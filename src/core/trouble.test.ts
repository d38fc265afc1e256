import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backoffSeconds, type PastRun, troubleOf } from './trouble.ts'

/** Newest first. `!` is a success, nothing is an attempt that has not ended. */
const past = (...codes: readonly string[]): PastRun[] =>
  codes.map((code) => ({
    state: code === '!' ? 'succeeded' : code === '' ? 'processing' : 'failed',
    errorCode: code === '!' || code === '' ? null : code,
  }))

describe('what past attempts have to say', () => {
  for (const [runs, leasesLost, decodersKilled, faults] of [
    [past(), 0, 0, 0],
    [past('lease_lost', 'lease_lost', ''), 3, 0, 0],
    [past('lease_lost', 'storage_failed', 'lease_lost'), 1, 0, 1],
    [past('lease_lost', 'worker_stopped', 'lease_lost'), 2, 0, 0],
    [past('decoder_killed', 'storage_failed', 'decoder_killed'), 0, 2, 3],
    [past('storage_failed', '!', 'storage_failed', 'decoder_killed'), 0, 0, 1],
    [past('!', 'lease_lost'), 0, 0, 0],
    [past(...Array.from({ length: 5 }, () => ['scanner_unavailable', 'lease_lost']).flat()), 2, 0, 5],
    [past(...Array.from({ length: 10 }, () => ['scanner_unavailable', 'lease_lost']).flat()), 5, 0, 10],
    [past(...Array.from({ length: 24 }, () => 'scanner_unavailable')), 0, 0, 24],
  ] as const)
    it(`counts ${leasesLost} lost leases, ${decodersKilled} dead decoders and ${faults} faults in ${JSON.stringify(runs.map(({ errorCode, state }) => errorCode ?? state))}`, () =>
      assert.deepEqual(troubleOf(runs), { leasesLost, decodersKilled, faults }))

  it('waits twice as long after each fault, from five seconds to an hour', () =>
    assert.deepEqual([1, 2, 3, 10, 11, 1000].map(backoffSeconds), [5, 10, 20, 2560, 3600, 3600]))
})
