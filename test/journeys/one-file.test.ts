import assert from 'node:assert/strict'
import { it } from 'node:test'
import { oneFile } from '../../examples/one-file.ts'

it('lives the whole life of a file as the example tells it', { timeout: 120_000 }, async () => {
  const said: string[] = []
  await oneFile((line) => said.push(line))
  assert.equal(said[0], 'ada.jpg is ready: 1600×900')
  assert.match(said[1] ?? '', /^<picture><source media="\(max-width: 480px\)".+<img alt="Ada".+width="1024" height="576"/)
  assert.deepEqual(said.slice(2), ['the first one is gone', 'the second one is gone'])
})
