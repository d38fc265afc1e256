import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { video } from './av-recipes.ts'
import { encodingRulesOf } from './visit-rules.ts'

describe('what may be spent on variants', () => {
  it('grows with the length of the file, in time that a timer can be set to', () => {
    const wishes = [{ name: 'film', recipe: video() }]
    const [minute, hour, day] = [60, 3_600, 86_400].map((seconds) => encodingRulesOf(seconds * 1000, wishes))
    assert.ok(minute && hour && day)
    assert.ok(minute.timeoutMs < hour.timeoutMs && hour.timeoutMs < day.timeoutMs)
    assert.ok(minute.encoding.outputBytes < hour.encoding.outputBytes && hour.encoding.outputBytes < day.encoding.outputBytes)
    assert.equal(day.timeoutMs, 2 ** 31 - 1)
  })
})
