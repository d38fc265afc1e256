import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { local } from '../local.ts'

const key = 'sealed/a/original.bin'
const bytes = randomBytes(700 * 1024)

describe('a stored file as a stream', () => {
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rindle-read-'))
    await local({ directory }).put(key, new Blob([bytes]).stream(), { contentType: 'application/octet-stream' })
  })
  after(() => rm(directory, { recursive: true }))

  const opened = async (): Promise<ReadableStream<Uint8Array>> => {
    const found = await local({ directory }).read(key)
    assert.ok(found)
    return found.body
  }

  for (const roomBytes of [1000, 256 * 1024, 1024 * 1024])
    it(
      `fills a buffer of ${roomBytes} bytes again and again, and ends for a reader that asks without a pause`,
      { timeout: 10_000 },
      async () => {
        const reader = (await opened()).getReader({ mode: 'byob' })
        const parts: Buffer[] = []
        let room = new Uint8Array(roomBytes)
        for (;;) {
          const { done, value } = await reader.read(room)
          if (done) break
          assert.equal(value.buffer.byteLength, roomBytes)
          parts.push(Buffer.from(value))
          room = new Uint8Array(value.buffer)
        }
        assert.ok(Buffer.concat(parts).equals(bytes))
      },
    )

  it('hands out chunks of its own to a reader that brings no buffer', async () => {
    assert.ok(Buffer.from(await new Response(await opened()).arrayBuffer()).equals(bytes))
  })
})
