import assert from 'node:assert/strict'
import { it } from 'node:test'
import { describedAs } from './description.ts'

it('keeps what runs something when it is opened an attachment, whatever is cut off its address', () => {
  assert.deepEqual(describedAs('image/png'), { ContentType: 'image/png' })
  for (const ContentType of ['text/html', 'text/html; charset=utf-8', 'image/svg+xml', 'application/pdf', 'application/octet-stream'])
    assert.deepEqual(describedAs(ContentType), { ContentType, ContentDisposition: 'attachment' })
  assert.deepEqual(describedAs(undefined), { ContentDisposition: 'attachment' })
})
