import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { clamav, type ClamavOptions } from '../../src/adapters/scanners/clamav.ts'
import { nestedTooDeep } from '../../src/adapters/scanners/clamav/nested.ts'
import type { FileUnderGate } from '../../src/core/ports/file-under-gate.ts'
import { show } from '../../src/testing/gate-contract/trial.ts'
import { scannerContract } from '../../src/testing/scanner-contract.ts'
import { type Clamd, eicar, eicarThreat, markedThreat, marker, skipWithoutClamd, startClamd } from '../services/clamd.ts'

const skip = skipWithoutClamd
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const never = new AbortController().signal
const unavailable = { code: 'scanner_unavailable' }
const overLimit = { code: 'scan_limit_exceeded', details: { scanner: 'clamav', maxBytes: null } }

/** So many bytes of no meaning, with the marker at their beginning or their end. */
const marked = (bytes: number, at: 'begin' | 'end' = 'begin'): Buffer => {
  const noise = Buffer.alloc(bytes - marker.length, 'noise ')
  return at === 'begin' ? Buffer.concat([encode(marker), noise]) : Buffer.concat([noise, encode(marker)])
}

const closing: (() => unknown)[] = []
after(async () => {
  for (const close of closing.toReversed()) await close()
})

const folder = await mkdtemp(join(tmpdir(), 'rindle-clamav-'))
closing.push(() => rm(folder, { recursive: true, force: true }))

const daemon = async (settings: Readonly<Record<string, string>> = {}): Promise<Clamd> => {
  const clamd = await startClamd({ settings })
  closing.push(clamd.stop)
  return clamd
}

const fileOf = async (bytes: Uint8Array, signal = never): Promise<FileUnderGate> => (await show(folder, { bytes }, { signal })).file
const scan = async (options: ClamavOptions, bytes: Uint8Array) => clamav(options).scan(await fileOf(bytes))

/** Listens on loopback and does with each connection as it is told. */
const listening = async (meet: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    meet(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

interface Cut {
  /** After so many bytes in this direction. */
  readonly afterBytes: number
  readonly of: 'question' | 'answer'
  readonly how: 'reset' | 'end'
}

/** A proxy that cuts every connection in the middle. */
const cutting = ({ port }: Clamd, { afterBytes, of, how }: Cut): Promise<number> =>
  listening((client) => {
    const server = connect({ host: '127.0.0.1', port }).on('error', () => undefined)
    client.on('close', () => server.destroy())
    const carry = (from: Socket, to: Socket, isCut: boolean): void => {
      let seen = 0
      from.on('data', (chunk) => {
        const rest = afterBytes - seen
        seen += chunk.byteLength
        if (!isCut || seen < afterBytes) return void to.write(chunk)
        to.write(chunk.subarray(0, rest), () => {
          server.destroy()
          if (how === 'reset') client.resetAndDestroy()
          else client.end()
        })
      })
    }
    carry(client, server, of === 'question')
    carry(server, client, of === 'answer')
    server.on('end', () => client.end())
  })

describe('clamav() and a real clamd', { skip }, () => {
  let clamd: Clamd
  let silent: number
  before(async () => {
    clamd = await daemon()
    silent = await listening(() => undefined)
  })

  for (const way of ['TCP', 'a Unix socket'] as const)
    describe(`keeps the contract over ${way}`, { concurrency: 4 }, () => {
      for (const promise of scannerContract)
        it(promise.name, async () => {
          const { port, socketPath } = clamd
          const scanner = clamav(way === 'TCP' ? { port } : { socketPath })
          await promise.run(scanner, { folder, infected: { bytes: encode(`a ${marker} b`) }, unanswered: clamav({ port: silent }) })
        })
    })

  it('finds the test file of all scanners, and what lies in archives', async () => {
    const { port } = clamd
    assert.deepEqual(await scan({ port }, encode(eicar)), { clean: false, threat: eicarThreat })
    assert.deepEqual(await scan({ port }, gzipSync(gzipSync(marked(1_000_000, 'end')))), { clean: false, threat: markedThreat })
    assert.deepEqual(await scan({ port }, marked(1_900_000, 'end')), { clean: false, threat: markedThreat })
  })

  it('tells doctor which clamd answers', async () => {
    const said = await clamav({ socketPath: clamd.socketPath }).check?.({ signal: never })
    assert.match(said ?? '', /^ClamAV \d+\.\d+\.\d+, with signatures of unknown age; it raises alarm over its limits$/)
  })

  it('holds back what clamd will never look through, however often it is asked', { timeout: 120_000 }, async () => {
    for (const bytes of [marked(2_200_000), marked(4_300_000), marked(30_000_000)])
      for (let time = 0; time < 8; time++) {
        await assert.rejects(scan({ port: clamd.port }, bytes), overLimit, `${bytes.byteLength} bytes, time ${time}`)
        await assert.rejects(scan({ socketPath: clamd.socketPath }, bytes), overLimit, `${bytes.byteLength} bytes, time ${time}`)
      }
    await assert.rejects(scan({ port: clamd.port, maxBytes: 1000 }, marked(1001)), { details: { scanner: 'clamav', maxBytes: 1000 } })
  })

  it('believes nothing that came through a cut', { timeout: 120_000 }, async () => {
    const bytes = Buffer.alloc(1_500_000, 'clean ')
    const framed = bytes.byteLength + 10 + 4 * Math.ceil(bytes.byteLength / 65_536)
    const cuts: readonly Cut[] = (['reset', 'end'] as const).flatMap((how) => [
      ...[1, 9, 12, 65_600, 700_000, framed, framed + 3].map((afterBytes) => ({ afterBytes, of: 'question', how }) as const),
      ...[1, 6, 8, 10].map((afterBytes) => ({ afterBytes, of: 'answer', how }) as const),
    ])
    await Promise.all(
      cuts.map(async (cut) => {
        const port = await cutting(clamd, cut)
        await assert.rejects(
          scan({ port, overLimits: 'pass' }, bytes),
          unavailable,
          `${cut.how} after ${cut.afterBytes} bytes of the ${cut.of}`,
        )
      }),
    )
    const whole = await cutting(clamd, { afterBytes: Infinity, of: 'answer', how: 'end' })
    assert.deepEqual(await scan({ port: whole }, bytes), { clean: true })
  })

  it('ends after its time when nobody answers, and at once by its signal', { timeout: 20_000 }, async () => {
    const from = performance.now()
    await assert.rejects(scan({ port: silent, timeoutSeconds: 1 }, encode('clean')), /no answer within 1 seconds/)
    assert.ok(performance.now() - from < 3000)
    const reason = new RangeError('enough')
    const controller = new AbortController()
    const scanning = clamav({ port: silent }).scan(await fileOf(encode('clean'), controller.signal))
    await sleep(50)
    controller.abort(reason)
    await assert.rejects(scanning, reason)
  })

  it('rejects what a clamd had that was killed, and accepts from the one that comes after it', { timeout: 60_000 }, async () => {
    const first = await daemon()
    const { port } = first
    const bytes = Buffer.alloc(1_500_000, 'clean ')
    let begun = (): void => undefined
    const beginning = new Promise<void>((resolve) => (begun = resolve))
    const slowly = () => {
      let at = 0
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          controller.enqueue(bytes.subarray(at, (at += 100_000)))
          if (at >= bytes.byteLength) return controller.close()
          if (at > 500_000) begun()
          await sleep(50)
        },
      })
    }
    const { file } = await show(folder, { bytes }, { stream: slowly })
    const scanning = assert.rejects(clamav({ port }).scan(file), unavailable)
    await beginning
    await first.kill()
    await scanning
    await assert.rejects(scan({ port }, bytes), /it cannot be reached, ECONNREFUSED/)

    const second = await startClamd({ port })
    closing.push(second.stop)
    assert.deepEqual(await scan({ port }, bytes), { clean: true })
    assert.deepEqual(await scan({ port }, marked(1000)), { clean: false, threat: markedThreat })
  })
})

describe('a clamd that passes what it has not looked through', { skip }, () => {
  for (const [setting, value] of [
    ['AlertExceedsMax', 'no'],
    ['ScanArchive', 'no'],
    ['MaxRecursion', '200'],
  ] as const)
    it(`is not believed with ${setting} ${value}`, async () => {
      const { port } = await daemon({ [setting]: value })
      await assert.rejects(
        scan({ port }, encode('clean')),
        /AlertExceedsMax yes in clamd.conf, leave ScanArchive on and MaxRecursion at 100 or less/,
      )
      await assert.rejects(async () => clamav({ port }).check?.({ signal: never }), unavailable)
      assert.deepEqual(await scan({ port }, encode(marker)), { clean: false, threat: markedThreat })
      assert.match((await clamav({ port, overLimits: 'pass' }).check?.({ signal: never })) ?? '', /what lies over its limits passes$/)
    })

  it('says OK to a marked file that is larger than its MaxFileSize, and so do we when told to', async () => {
    const { port } = await daemon({ AlertExceedsMax: 'no' })
    assert.deepEqual(await scan({ port, overLimits: 'pass' }, marked(2_200_000)), { clean: true })
    await assert.rejects(scan({ port }, marked(2_200_000)), unavailable)
  })

  it('is believed with as many levels as its manual allows', async () => {
    const { port } = await daemon({ MaxRecursion: '100' })
    assert.deepEqual(await scan({ port }, encode('clean')), { clean: true })
  })

  it('is not believed either where somebody had the inside of our archive looked at before', async () => {
    const { port } = await daemon({ MaxRecursion: '30' })
    assert.deepEqual(await scan({ port }, encode('clean')), { clean: true })
    const layers = [Buffer.from(nestedTooDeep())]
    for (let layer = layers[0]; layer?.subarray(0, 2).equals(Buffer.of(0x1f, 0x8b)); layer = layers[0]) layers.unshift(gunzipSync(layer))
    for (let depth = 25; depth < layers.length; depth += 25)
      assert.deepEqual(await scan({ port, overLimits: 'pass' }, layers[depth] ?? Buffer.alloc(0)), { clean: true })
    await assert.rejects(scan({ port }, encode('clean, too')), unavailable)
  })
})
