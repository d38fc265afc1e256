import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { metadataPolicies } from '../../src/core/metadata-policy.ts'
import { corpus, openPlace, quarters, type Place } from './fixtures/visits.ts'

describe('a picture whose metadata cannot be taken out', () => {
  let place: Place
  before(async () => {
    place = await openPlace()
  })
  after(() => place.close())

  const codesOf = async (bytes: Buffer, filename: string): Promise<string[]> => {
    const codes: string[] = []
    for (const metadata of metadataPolicies) {
      const verdict = await place.visit(bytes, filename, { metadata })
      codes.push(verdict.verdict === 'pass' ? 'pass' : verdict.code)
    }
    return codes
  }

  it('is called broken when it is, whatever was to be taken out', async () => {
    assert.deepEqual(await codesOf(await corpus('smallest/png-truncated.png'), 'a.png'), [
      'decode_failed',
      'decode_failed',
      'decode_failed',
    ])
    const png = await quarters(40, 40)
    for (const length of [40, 60, png.length - 20])
      assert.deepEqual(await codesOf(png.subarray(0, length), 'a.png'), ['decode_failed', 'decode_failed', 'decode_failed'], `${length}`)
  })

  it('is held back when it is whole, and served as it came where nothing is to be taken out', async () => {
    const chunk = Buffer.from('\0\0\0\0teSt\0\0\0\0', 'latin1')
    chunk.writeUInt32BE(crc32(chunk.subarray(4, 8)), 8)
    const png = await quarters(8, 8)
    const bytes = Buffer.concat([png.subarray(0, 33), Buffer.alloc(chunk.length * 140_000, chunk), png.subarray(33)])
    assert.deepEqual(await codesOf(bytes, 'a.png'), ['pass', 'metadata_not_removable', 'metadata_not_removable'])
  })
})
