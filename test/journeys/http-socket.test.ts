import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { engines } from '../services/engines.ts'
import { type House, jsonOf, openHouse, origin, png } from './fixtures/house.ts'

const [engine] = engines

describe('the http door behind a real socket', { skip: engine ? engine.skip : 'no engine was asked for' }, () => {
  let house: House
  let server: Server
  let base: string
  let bytes: Buffer<ArrayBuffer>

  before(async () => {
    assert.ok(engine)
    house = await openHouse(engine)
    bytes = await png(640, 480)
    server = createServer(getRequestListener(house.door())).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address && typeof address === 'object')
    base = `http://127.0.0.1:${address.port}`
  })
  after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await house.close()
  })

  const here = (url: string) => url.replace(origin, base)
  const post = (path: string, body: object) =>
    fetch(`${base}/media${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const ticketFor = async (byteSize = bytes.byteLength) => {
    const { session } = await jsonOf(await post('/uploads', { profile: 'photo', filename: 'a.png', byteSize }))
    const { presigned } = await jsonOf(await post(`/uploads/${session.id}/sign`, {}))
    return { id: String(session.id), assetId: String(session.assetId), url: here(presigned.url), headers: presigned.headers }
  }

  /** Says something over a bare connection and hears what comes back, until it closes or `patienceMs` have passed. */
  const say = async (text: string, body: Uint8Array, options: { readonly hangUpAfterMs?: number } = {}): Promise<string> => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    let heard = ''
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await once(socket, 'connect')
    socket.write(text)
    socket.write(body)
    if (options.hangUpAfterMs !== undefined) {
      await pause(options.hangUpAfterMs)
      socket.destroy()
    }
    await Promise.race([closed, pause(5_000, undefined, { ref: false })])
    socket.destroy()
    return heard
  }
  const putHead = (url: string, length: string, type = 'image/png') =>
    `PUT ${new URL(url).pathname} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: ${type}\r\n${length}\r\n\r\n`
  const files = async () =>
    (await house.disk()).filter(
      (name) => /\.rindle-part|[0-9a-f-]{36}(\.\w+)?$/.test(name.split('/').at(-1) ?? '') && name.split('/').length > 2,
    )

  it('takes a PUT, serves ranges of it, and lets go of what a reader leaves half read', async () => {
    const { id, assetId, url, headers } = await ticketFor()
    assert.equal((await fetch(url, { method: 'PUT', headers, body: bytes })).status, 200)
    assert.equal((await post(`/uploads/${id}/verify`, {})).status, 200)
    await house.promote(assetId)
    const { url: address } = await jsonOf(await fetch(`${base}/media/assets/${assetId}`))
    const whole = await fetch(here(address))
    assert.deepEqual(Buffer.from(await whole.arrayBuffer()), bytes)
    const part = await fetch(here(address), { headers: { range: 'bytes=1-3' } })
    assert.deepEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, bytes.subarray(1, 4)])
    const head = await fetch(here(address), { method: 'HEAD' })
    assert.equal(head.headers.get('content-length'), String(bytes.byteLength))
    const leaver = new AbortController()
    await fetch(here(address), { signal: leaver.signal })
    leaver.abort()
    assert.equal((await fetch(here(address), { method: 'HEAD' })).status, 200)
  })

  it('keeps nothing of a PUT that broke off, and takes the same ticket again', async () => {
    const { id, url, headers } = await ticketFor()
    const [rows, before] = [await house.rows(), await files()]
    await say(putHead(url, `content-length: ${bytes.byteLength}`), bytes.subarray(0, 100), { hangUpAfterMs: 100 })
    for (let left = 50; left > 0 && (await files()).length !== before.length; left -= 1) await pause(50)
    assert.deepEqual(await files(), before)
    assert.equal(await house.rows(), rows)
    assert.equal((await jsonOf(await post(`/uploads/${id}/verify`, {}))).error.code, 'upload_object_missing')
    assert.equal((await fetch(url, { method: 'PUT', headers, body: bytes })).status, 200)
    assert.equal((await post(`/uploads/${id}/verify`, {})).status, 200)
  })

  const wrong: readonly [string, (url: string) => [string, Uint8Array], RegExp][] = [
    [
      'announces more than the ticket says',
      (url) => [putHead(url, `content-length: ${bytes.byteLength + 1}`), Buffer.concat([bytes, Buffer.of(0)])],
      /422[\s\S]*ticket_mismatch/,
    ],
    ['announces less', (url) => [putHead(url, 'content-length: 10'), bytes.subarray(0, 10)], /422[\s\S]*ticket_mismatch/],
    ['has another type', (url) => [putHead(url, `content-length: ${bytes.byteLength}`, 'text/html'), bytes], /422[\s\S]*ticket_mismatch/],
    [
      'brings more in chunks than the ticket says',
      (url) => [putHead(url, 'transfer-encoding: chunked'), chunked(Buffer.concat([bytes, bytes]))],
      /422[\s\S]*object_size_mismatch/,
    ],
    [
      'brings less in chunks',
      (url) => [putHead(url, 'transfer-encoding: chunked'), chunked(bytes.subarray(0, 10))],
      /422[\s\S]*object_size_mismatch/,
    ],
    [
      'says nothing of its length and sends nothing',
      (url) => [putHead(url, 'x-nothing: 1'), Buffer.alloc(0)],
      /422[\s\S]*object_size_mismatch/,
    ],
  ]
  for (const [what, request, answer] of wrong)
    it(`refuses a PUT that ${what}, and keeps nothing`, async () => {
      const { url } = await ticketFor()
      const [rows, before] = [await house.rows(), await files()]
      assert.match(await say(...request(url)), answer)
      assert.deepEqual(await files(), before)
      assert.equal(await house.rows(), rows)
    })

  it('says so when a body parser before it has eaten the body', async () => {
    const { url, headers } = await ticketFor()
    const listener = getRequestListener(house.door())
    const behind = createServer((request, response) => void request.resume().once('end', () => void listener(request, response))).listen(
      0,
      '127.0.0.1',
    )
    await once(behind, 'listening')
    const address = behind.address()
    assert.ok(address && typeof address === 'object')
    const there = (path: string) => `http://127.0.0.1:${address.port}${path}`
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"profile":"photo"}' }
      assert.equal((await jsonOf(await fetch(there('/media/uploads'), init))).error.code, 'body_consumed')
      const put = await fetch(there(new URL(url).pathname), { method: 'PUT', headers, body: bytes })
      assert.equal((await jsonOf(put)).error.code, 'body_consumed')
    } finally {
      behind.closeAllConnections()
      behind.close()
    }
  })

  it('answers a refusal in words also to whoever sends a large body at once', async () => {
    const { url } = await ticketFor()
    const large = Buffer.alloc(4_000_000)
    const heard = await say(putHead(url, `content-length: ${large.byteLength}`), large)
    assert.match(heard, /422[\s\S]*ticket_mismatch/)
  })
})

const chunked = (bytes: Uint8Array): Buffer => {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.byteLength; at += 1000) {
    const part = bytes.subarray(at, at + 1000)
    parts.push(Buffer.from(`${part.byteLength.toString(16)}\r\n`), Buffer.from(part), Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}
