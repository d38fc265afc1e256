import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isWholeGif } from './gif.ts'

const header = [...Buffer.from('GIF89a'), 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]
const control = [0x21, 0xf9, 4, 0, 10, 0, 0, 0]
const frame = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]
const localTable = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, 1, 2, 3, 4, 5, 6, 2, 2, 0x44, 1, 0]
const gif = (...parts: number[][]): Uint8Array => Uint8Array.from(parts.flat())

describe('a whole GIF', () => {
  it('ends with its trailer, or after a block', () => {
    assert.ok(isWholeGif(gif(header, control, frame, control, localTable, [0x3b])))
    assert.ok(isWholeGif(gif(header, control, frame)))
    assert.ok(isWholeGif(gif(header, frame, [0x3b, 1, 2, 3])))
  })

  it('has no frame that breaks off, wherever that is', () => {
    const whole = gif(header, control, frame, control, localTable)
    const boundaries = [header, control, frame, control, localTable].map((_, at, parts) => gif(...parts.slice(0, at + 1)).length)
    for (let length = header.length; length < whole.length; length++) {
      assert.equal(isWholeGif(whole.subarray(0, length)), boundaries.includes(length), `${length} bytes`)
    }
  })
})
