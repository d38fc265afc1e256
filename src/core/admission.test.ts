import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryLike } from '../../test/services/storage-shape.ts'
import { judgeBytes } from './admission.ts'
import { defineProfile } from './profile-definition.ts'

describe('judging sealed bytes before anything looks into them', () => {
  const profile = defineProfile({ storage: memoryLike('memory'), allowMime: ['image/png'], maxBytes: 1000 })
  const sha256 = 'a'.repeat(64)

  for (const [title, byteSize, declared, code] of [
    ['lets on what is as long as may be', 1000, null, undefined],
    ['lets on what has the announced checksum', 1, sha256, undefined],
    ['refuses what is longer than its profile takes by now', 1001, null, 'max_bytes_exceeded'],
    ['refuses what is empty', 0, null, 'file_empty'],
    ['refuses another checksum, whatever else is wrong', 0, 'b'.repeat(64), 'upload_checksum_mismatch'],
  ] as const)
    it(title, () => assert.equal(judgeBytes(profile, { byteSize, sha256 }, declared)?.code, code))

  it('says in words how long the file is and may be', () =>
    assert.equal(judgeBytes(profile, { byteSize: 1001, sha256 }, null)?.message, 'The file has 1001 bytes; at most 1000 are taken.'))
})
