import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backoffSeconds, isDeadly, type PastRun, troubleOf } from './trouble.ts'

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
      assert.deepEqual(troubleOf(runs), { leasesLost, decodersKilled, decodersStarved: 0, faults }))

  it('counts decoders that got too little of the machine apart from those that died, and as faults', () =>
    assert.deepEqual(troubleOf(past('decoder_starved', 'decoder_killed', 'decoder_starved', '!', 'decoder_starved')), {
      ...{ leasesLost: 0, decodersKilled: 1, decodersStarved: 2, faults: 3 },
    }))

  for (const [code, before, deadly] of [
    ['decoder_killed', past(), false],
    ['decoder_killed', past('decoder_killed'), true],
    ['decoder_killed', past('!', 'decoder_killed'), false],
    ['decoder_killed', past(...Array.from({ length: 8 }, () => 'decoder_starved')), false],
    ['decoder_starved', past('decoder_killed'), false],
    ['decoder_starved', past(...Array.from({ length: 8 }, () => 'decoder_starved')), false],
    ['decoder_starved', past(...Array.from({ length: 9 }, () => 'decoder_starved')), true],
    ['decoder_starved', past('decoder_starved', '!', ...Array.from({ length: 9 }, () => 'decoder_starved')), false],
    ['storage_failed', past(...Array.from({ length: 30 }, () => 'storage_failed')), false],
  ] as const)
    it(`${deadly ? 'holds a file back' : 'goes on'} after ${code} with ${before.map(({ errorCode }) => errorCode ?? 'success').join(', ') || 'nothing'} before`, () =>
      assert.equal(isDeadly(code, before), deadly))

  it('waits twice as long after each fault, from five seconds to an hour', () =>
    assert.deepEqual([1, 2, 3, 10, 11, 1000].map(backoffSeconds), [5, 10, 20, 2560, 3600, 3600]))
})
