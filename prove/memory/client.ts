import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { serve } from './peer.ts'

/** The client: makes up a file as it goes, sends parts of it by tickets, and takes it back. */

const chunkBytes = 65_536
const magic = Buffer.from('%PDF-1.7\n')

/** What stands at `start` of the file, `length` bytes of it. No two chunks of 64 KiB are alike. */
function* contentOf(start: number, length: number): Generator<Buffer> {
  for (let at = start; at < start + length;) {
    const index = Math.floor(at / chunkBytes)
    const chunk = Buffer.alloc(chunkBytes, (index * 7) % 251)
    chunk.writeUInt32LE(index, 16)
    if (index === 0) magic.copy(chunk)
    const piece = chunk.subarray(at % chunkBytes, Math.min(chunkBytes, (at % chunkBytes) + start + length - at))
    at += piece.length
    yield piece
  }
}

type Part = { url: string; headers: Readonly<Record<string, string>>; start: number; length: number }

const commands = {
  async digest(byteSize: number) {
    const hash = createHash('sha256')
    for (const chunk of contentOf(0, byteSize)) hash.update(chunk)
    return hash.digest('hex')
  },
  async send({ url, headers, start, length }: Part) {
    const sending = request(url, { method: 'PUT', headers })
    const answered = once(sending, 'response')
    for (const chunk of contentOf(start, length)) if (!sending.write(chunk)) await Promise.race([once(sending, 'drain'), answered])
    sending.end()
    const [response] = await answered
    response.resume()
    await once(response, 'end')
    return response.statusCode as number
  },
  async fetch(url: string) {
    const answer = await fetch(url)
    const hash = createHash('sha256')
    for await (const chunk of answer.body ?? []) hash.update(chunk)
    return { status: answer.status, sha256: hash.digest('hex') }
  },
}
export type ClientCommands = typeof commands

serve(commands)
