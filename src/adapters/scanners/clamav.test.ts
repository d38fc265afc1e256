import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { ReadableStream as NodeStream } from 'node:stream/web'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileUnderGate } from '../../core/ports/file-under-gate.ts'
import { clamav, type ClamavOptions } from './clamav.ts'
import { judge, versionIn } from './clamav/answer.ts'

const fileOf = (
  bytes: Uint8Array<ArrayBuffer>,
  { stream = () => new Blob([bytes]).stream(), ...more }: Partial<FileUnderGate> = {},
): FileUnderGate => ({
  assetId: 'a',
  profile: 'report',
  filename: 'a.pdf',
  contentType: 'application/pdf',
  kind: 'file',
  byteSize: bytes.byteLength,
  sha256: '00'.repeat(32),
  width: null,
  height: null,
  path: '/nowhere',
  signal: new AbortController().signal,
  stream,
  ...more,
})

const streamFrom = (chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => NodeStream.from(chunks) as ReadableStream<Uint8Array>

/** What a client said: its command, and the chunks of the file behind it once it was ended. */
const parse = (said: Buffer): { readonly command: string; readonly chunks: Buffer[]; readonly ended: boolean } => {
  const command = said.toString('latin1', 0, said.indexOf(0) + 1)
  const chunks: Buffer[] = []
  for (let at = command.length; at + 4 <= said.length;) {
    const length = said.readUInt32BE(at)
    if (length === 0) return { command, chunks, ended: true }
    if (at + 4 + length > said.length) break
    chunks.push(said.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return { command, chunks, ended: command !== '' && command !== 'zINSTREAM\0' }
}

const servers: (() => void)[] = []
after(() => servers.forEach((close) => close()))

/** A daemon that hears a command out and then does as told. */
const daemon = async (
  answer: (said: ReturnType<typeof parse>, socket: Socket, connection: number) => void,
  at: 'end' | 'begin' = 'end',
) => {
  const sockets = new Set<Socket>()
  const heard: ReturnType<typeof parse>[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    let [said, answered] = [Buffer.alloc(0), false]
    const connection = sockets.size
    socket.on('error', () => undefined)
    if (at === 'begin') return answer(parse(said), socket, connection)
    socket.on('data', (chunk) => {
      said = Buffer.concat([said, chunk])
      const parsed = parse(said)
      if (!parsed.ended || answered) return
      answered = true
      heard.push(parsed)
      answer(parsed, socket, connection)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  servers.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: address.port, heard, sockets }
}

const says = async (words: string): Promise<{ readonly port: number }> => ({ port: (await daemon((_, socket) => socket.end(words))).port })
const bytes = new TextEncoder().encode('hello')
const scan = (options: ClamavOptions, file = fileOf(bytes)) => clamav({ overLimits: 'pass', ...options }).scan(file)
const unavailable = { code: 'scanner_unavailable' }

describe('clamav()', () => {
  it('believes one answer only', async () => {
    assert.deepEqual(await scan(await says('stream: OK\0')), { clean: true })
    assert.deepEqual(await scan(await says('stream: Eicar-Test FOUND\0')), { clean: false, threat: 'Eicar-Test' })
    for (const words of [
      '',
      'stream: OK',
      'stream: OK\n',
      'stream: OK\0\0',
      'stream: OK\0stream: Eicar FOUND\0',
      'OK\0',
      'a: stream: OK\0',
      'stream: OK ERROR\0',
      'stream:  FOUND\0',
      'stream: FOUND\0',
      'UNKNOWN COMMAND\0',
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      'stream: OK\0'.repeat(200),
      '\u0000stream: OK\0',
    ])
      await assert.rejects(scan(await says(words)), unavailable, JSON.stringify(words))
  })

  it('tells what clamd complains of', async () => {
    await assert.rejects(scan(await says('stream: Can’t allocate memory ERROR\0')), /none of clamd/)
    await assert.rejects(scan(await says('COMMAND READ TIMED OUT ERROR\0')), /it says: COMMAND READ TIMED OUT/)
  })

  it('holds back what lies over a limit of clamd’s', async () => {
    for (const words of ['INSTREAM size limit exceeded. ERROR\0', 'stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0'])
      await assert.rejects(scan(await says(words)), { code: 'scan_limit_exceeded', details: { scanner: 'clamav', maxBytes: null } })
  })

  it('sends nothing of what is larger than it may send', async () => {
    const silent = await daemon(() => assert.fail('it was asked'))
    let streams = 0
    const stream = () => {
      streams += 1
      return new Blob([bytes]).stream()
    }
    const file = fileOf(bytes, { stream })
    await assert.rejects(scan({ port: silent.port, maxBytes: 4 }, file), {
      code: 'scan_limit_exceeded',
      details: { scanner: 'clamav', maxBytes: 4 },
    })
    assert.deepEqual([silent.sockets.size, streams], [0, 0])
    assert.deepEqual(await scan({ ...(await says('stream: OK\0')), maxBytes: 5 }), { clean: true })
  })

  it('sends every byte in the order it came, and no empty chunk before the end', async () => {
    const { port, heard } = await daemon((_, socket) => socket.end('stream: OK\0'))
    const parts = ['he', '', 'll', '', 'o'].map((part) => new TextEncoder().encode(part))
    const stream = () => streamFrom(parts)
    assert.deepEqual(await scan({ port }, fileOf(bytes, { stream })), { clean: true })
    assert.equal(heard[0]?.command, 'zINSTREAM\0')
    assert.deepEqual(heard[0]?.chunks.map(String), ['he', 'll', 'o'])
    assert.deepEqual(await scan({ port }, fileOf(new Uint8Array())), { clean: true })
    assert.deepEqual(heard[1]?.chunks, [])
  })

  it('does not believe an answer for a file that came to another length, or that came early', async () => {
    const { port } = await says('stream: OK\0')
    for (const byteSize of [4, 6]) await assert.rejects(scan({ port }, fileOf(bytes, { byteSize })), unavailable)
    const hasty = await daemon((_, socket) => socket.end('stream: OK\0'), 'begin')
    const large = new Uint8Array(8_000_000)
    await assert.rejects(scan({ port: hasty.port }, fileOf(large)), unavailable)
  })

  it('is unavailable when a file cannot be read to its end', async () => {
    const { port, heard } = await daemon((_, socket) => socket.end('stream: OK\0'))
    const stream = () =>
      streamFrom(
        (async function* () {
          yield bytes
          throw Object.assign(new RangeError('gone'), { code: 'EIO' })
        })(),
      )
    await assert.rejects(scan({ port }, fileOf(bytes, { stream })), unavailable)
    assert.equal(heard.length, 0)
  })

  it('reads no further than clamd takes, and stops when it closes', async () => {
    const { port, sockets } = await daemon((_, socket) => socket.pause(), 'begin')
    let [pulled, cancelled] = [0, false]
    const stream = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          pulled += 65_536
          controller.enqueue(new Uint8Array(65_536))
        },
        cancel: () => {
          cancelled = true
        },
      })
    const scanning = assert.rejects(scan({ port }, fileOf(bytes, { stream, byteSize: 90_000_000 })), unavailable)
    for (let before = -1; before !== pulled; await sleep(300)) before = pulled
    assert.ok(pulled < 30_000_000, `${pulled} bytes were read although nobody took them`)
    for (const socket of sockets) socket.destroy()
    await scanning
    assert.ok(cancelled)
  })

  it('is unavailable after its time, to whatever it listens in vain', { timeout: 10_000 }, async () => {
    const silent = await daemon(() => undefined)
    await assert.rejects(scan({ port: silent.port, timeoutSeconds: 1 }), /no answer within 1 seconds/)
    const endless = () => new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) })
    await assert.rejects(scan({ port: silent.port, timeoutSeconds: 1 }, fileOf(bytes, { stream: endless })), unavailable)
  })

  it('ends with the reason of its signal, at once', { timeout: 10_000 }, async () => {
    const silent = await daemon(() => undefined)
    const controller = new AbortController()
    const reason = new Error('enough')
    const scanning = scan({ port: silent.port }, fileOf(bytes, { signal: controller.signal }))
    await sleep(50)
    controller.abort(reason)
    const from = performance.now()
    await assert.rejects(scanning, reason)
    assert.ok(performance.now() - from < 500)
    await assert.rejects(scan({ port: silent.port }, fileOf(bytes, { signal: AbortSignal.abort(reason) })), reason)
  })

  it('is unavailable where nobody listens, and where the connection is cut', async () => {
    const { port, sockets } = await daemon((_, socket) => socket.resetAndDestroy())
    await assert.rejects(scan({ port }), /the connection broke off, ECONNRESET|closed the connection/)
    assert.ok(sockets.size > 0)
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const address = closed.address()
    assert.ok(address !== null && typeof address === 'object')
    await new Promise((resolve) => closed.close(resolve))
    await assert.rejects(scan({ port: address.port }), /it cannot be reached, ECONNREFUSED/)
    await assert.rejects(scan({ socketPath: '/nowhere/clamd.ctl' }), /it cannot be reached, ENOENT/)
  })

  it('believes a clamd only that raises alarm about what it skips', async () => {
    const file = fileOf(bytes)
    const careless = await says('stream: OK\0')
    await assert.rejects(clamav({ port: careless.port }).scan(file), /AlertExceedsMax yes/)
    const alarmed = await daemon(({ chunks }, socket) =>
      socket.end(Buffer.concat(chunks).equals(bytes) ? 'stream: OK\0' : 'stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\0'),
    )
    assert.deepEqual(await clamav({ port: alarmed.port }).scan(file), { clean: true })
    const failing = await daemon(({ chunks }, socket) =>
      Buffer.concat(chunks).equals(bytes) ? socket.end('stream: OK\0') : socket.resetAndDestroy(),
    )
    await assert.rejects(clamav({ port: failing.port }).scan(file), unavailable)
  })

  it('says for doctor what answers, and throws when it is not clamd', async () => {
    const signal = new AbortController().signal
    const check = (port: number, options: ClamavOptions = {}) => clamav({ port, ...options } as ClamavOptions).check?.({ signal })
    const answers = (version: string) =>
      daemon(({ command }, socket) =>
        socket.end({ 'zPING\0': 'PONG\0', 'zVERSION\0': version }[command] ?? 'stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\0'),
      )
    const { port } = await answers('ClamAV 1.4.6/27812/Sat Nov 21 09:26:00 2026\0')
    assert.equal(await check(port), 'ClamAV 1.4.6, signatures 27812 of Sat Nov 21 09:26:00 2026; it raises alarm over its limits')
    await assert.rejects(async () => check((await answers('Apache\0')).port), unavailable)
    await assert.rejects(async () => check((await says('PONG\0')).port), unavailable)
  })

  it('refuses options that cannot be meant, all at once', () => {
    for (const options of [
      { port: 0 },
      { port: 70_000 },
      { host: '' },
      { socketPath: 'clamd.ctl' },
      { socketPath: '/a', port: 3310 },
      { timeoutSeconds: 0 },
      { timeoutSeconds: 1.5 },
      { maxBytes: 2 ** 31 },
      { maxbytes: 5 },
      { overLimits: 'ignore' },
    ])
      assert.throws(() => clamav(options as ClamavOptions), { code: 'argument_invalid' }, JSON.stringify(options))
    assert.throws(() => clamav({ port: 0, maxBytes: 0 }), /port must be .*; maxBytes must be/)
    const { name, timeoutSeconds } = clamav()
    assert.deepEqual([name, timeoutSeconds], ['clamav', 120])
  })
})

describe('an answer of clamd', () => {
  it('is none of its own with what terminals obey in it', () => {
    assert.equal(judge({ words: 'stream: A\u001b[2J FOUND\0', isWhole: true }).is, 'doubt')
    assert.equal(versionIn('ClamAV \u001b[2J\0'), null)
    assert.equal(versionIn('ClamAV 1.4.6\0'), 'ClamAV 1.4.6, with signatures of unknown age')
  })
})
