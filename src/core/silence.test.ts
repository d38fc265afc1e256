import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RindleError } from './errors.ts'
import { silenceOf } from './silence.ts'

describe('why something did not answer', () => {
  const coded = (code: string, message = 'hunter2') => Object.assign(new Error(message), { code })
  const unavailable = (cause: unknown) => new RindleError('database_unavailable', { operation: 'query' }, { cause })

  for (const [title, err, said] of [
    ['nothing listens', coded('ECONNREFUSED'), /nothing listens/],
    ['nothing listens at any of its addresses', unavailable(new AggregateError([coded('ECONNREFUSED')])), /nothing listens/],
    ['its name is not known', unavailable(coded('ENOTFOUND')), /no host is known/],
    ['it answered nothing in time', unavailable(new Error('Connection terminated due to connection timeout')), /cannot be reached/],
    ['the connection was lost', unavailable(new Error('Connection terminated unexpectedly')), /was lost/],
    ['it is starting up', unavailable(coded('57P03')), /starting up/],
    ['its connections are taken', unavailable(coded('53300')), /no connection left/],
    ['its disk is full', unavailable(coded('53100')), /disk is full/],
    ['of what lies deeper', unavailable(new Error('x', { cause: new Error('y', { cause: coded('ETIMEDOUT') }) })), /cannot be reached/],
  ] as const)
    it(`is told: ${title}`, () => {
      assert.match(silenceOf(err) ?? '', said)
      assert.doesNotMatch(silenceOf(err) ?? '', /hunter2/)
    })

  it('is not told where nobody knows', () => {
    for (const err of [null, 'x', new Error('hunter2'), coded('EWHAT'), unavailable(undefined)]) assert.equal(silenceOf(err), null)
  })
})
