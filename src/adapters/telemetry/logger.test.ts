import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RindleError } from '../../core/errors.ts'
import { jsonLogger, silentLogger } from './logger.ts'

describe('the JSON logger', () => {
  const lines: string[] = []
  const logger = jsonLogger(
    (line) => lines.push(line),
    () => new Date('2026-01-01T12:00:00.000Z'),
  )

  it('writes warnings and errors as one line each and nothing else', () => {
    lines.length = 0
    logger.debug({}, 'no')
    logger.info({}, 'no')
    logger.warn({ event: 'one' }, 'Careful.')
    logger.error({ event: 'two', size: 3n }, 'Wrong.')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [
        { level: 'warn', time: '2026-01-01T12:00:00.000Z', message: 'Careful.', event: 'one' },
        { level: 'error', time: '2026-01-01T12:00:00.000Z', message: 'Wrong.', event: 'two', size: '3' },
      ],
    )
    assert.ok(lines.every((line) => line.indexOf('\n') === line.length - 1))
  })

  it('keeps of an error what tells it apart, its cause too', () => {
    lines.length = 0
    logger.error({ err: new RindleError('object_not_found', {}, { cause: new TypeError('below') }) }, 'Wrong.')
    const { err } = JSON.parse(lines[0] ?? '')
    assert.equal(err.code, 'object_not_found')
    assert.equal(err.cause.message, 'below')
    assert.match(err.stack, /logger\.test/)
  })
})

describe('the silent logger', () => {
  it('takes everything', () => {
    for (const say of [silentLogger.debug, silentLogger.info, silentLogger.warn, silentLogger.error]) assert.equal(say({}, 'x'), undefined)
  })
})
