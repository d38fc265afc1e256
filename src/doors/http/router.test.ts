import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from '../../core/errors.ts'
import { createRouter } from './router.ts'
import { httpRoutes } from './table.ts'

describe('the router', () => {
  const router = createRouter(httpRoutes)
  const codeOf = (method: string, path: string): string => {
    try {
      return router.match(method, path).route.name
    } catch (err) {
      return isRindleError(err) ? err.code : String(err)
    }
  }

  it('knows no methods but those of its table, and leaves what all objects share alone', () => {
    for (const method of ['__proto__', 'constructor', 'toString', 'ALL', 'PATCH'])
      for (const path of ['/uploads', '/uploads/7/sign', '/objects/x']) assert.equal(codeOf(method, path), 'method_not_allowed')
    assert.deepEqual(Object.keys(Object.prototype), [])
    assert.equal('params' in Object, false)
    assert.equal(codeOf('PUT', '/objects/x'), 'putObject')
  })

  it('finds nothing below names that all objects share', () => {
    for (const path of ['/__proto__', '/constructor', '/uploads/__proto__/constructor'])
      assert.equal(codeOf('GET', path), 'route_not_found')
  })
})
