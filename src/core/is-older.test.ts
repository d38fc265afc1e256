import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isOlder } from './is-older.ts'

describe('the older of two versions', () => {
  const rows: readonly [version: string, than: string, answer: boolean][] = [
    ['0.34.9', '0.35.0', true],
    ['0.35.0', '0.35.0', false],
    ['0.100.0', '0.35.0', false],
    ['1.0.0', '0.35.0', false],
    ['0.36.0-rc.1', '0.35.0', false],
    ['4.4.6-0ubuntu0.22.04', '5.1', true],
    ['5.0.3', '5.1', true],
    ['5', '5.1', true],
    ['5.1.7-0+deb12u1', '5.1', false],
    ['n6.0', '5.1', false],
    ['N-112233-gabcdef', '5.1', false],
    ['of no known version', '5.1', true],
    ['5.4.0-190-generic', '5.14', true],
    ['6.1.0-28-amd64', '5.14', false],
  ]
  for (const [version, than, answer] of rows)
    it(`says that ${version} ${answer ? 'comes' : 'does not come'} before ${than}`, () => assert.equal(isOlder(version, than), answer))
})
