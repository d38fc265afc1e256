import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Guide, openGuide } from './fixtures/guide.ts'

describe('what the testing guide says to paste', () => {
  let guide: Guide
  before(() => {
    guide = openGuide('testing')
    for (const name of ['profiles', 'media', 'lost']) guide.write(`${name}.ts`, guide.block(`ts ${name}`))
    guide.write('photo.test.ts', guide.block('ts test'))
  })
  after(() => guide.close())

  it('compiles', async () => {
    const { code, output } = await guide.compile()
    assert.equal(code, 0, output)
  })

  it('is a test of a whole life that passes, of a fault, and of time', async () => {
    const { code, output } = await guide.run('photo.test.ts')
    assert.equal(code, 0, output)
    assert.match(output, /pass 3|# pass 3/)
  })

  it('fails where the app serves what it should not', async () => {
    const wrong = guide.block('ts profiles').replace('width: 128, height: 128', 'width: 64, height: 64')
    guide.write('profiles.ts', wrong)
    const { code, output } = await guide.run('photo.test.ts')
    assert.notEqual(code, 0)
    assert.match(output, /64 !== 128/)
  })
})
