import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { format, inspect } from 'node:util'
import { secret } from './redact.ts'

describe('a secret', () => {
  const kept = secret('correct horse battery staple')

  it('gives its value to whoever asks for it by name', () => {
    assert.equal(kept.reveal(), 'correct horse battery staple')
  })

  it('is never printed, however it is turned into text', () => {
    const texts = [
      String(kept),
      `${kept}`,
      JSON.stringify({ kept }),
      inspect(kept, { showHidden: true, depth: 9 }),
      format('%s %o %O %j', kept, kept, kept, kept),
    ]
    for (const text of texts) {
      assert.ok(!text.includes('horse'), text)
      assert.ok(text.includes('[secret]'), text)
    }
  })

  it('does not travel to another thread', () => {
    assert.throws(() => structuredClone(kept))
  })
})
