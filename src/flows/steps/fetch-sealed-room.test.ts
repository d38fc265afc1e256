import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { memory } from '../../adapters/storage/memory.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import { isRindleError } from '../../core/errors.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { fetchSealed } from './fetch-sealed.ts'

const reserveBytes = 64 * 1024 * 1024
const largeBytes = 400_000
const signal = new AbortController().signal

/** A store that says that something is there and sends it when it is told to. */
const slow = (sizeBytes: number, sent = sizeBytes) => {
  const open = new Set<ReadableStreamDefaultController<Uint8Array>>()
  const cancelled: unknown[] = []
  const bodyOf = () => {
    let control: ReadableStreamDefaultController<Uint8Array>
    return new ReadableStream<Uint8Array>({
      start: (given) => void open.add((control = given)),
      cancel(why) {
        open.delete(control)
        cancelled.push(why)
      },
    })
  }
  const storage: StorageAdapter = {
    ...memory(),
    read: async () => ({
      ...{ sizeBytes, contentType: null, etag: 'e', version: null },
      body: bodyOf(),
    }),
  }
  const end = () => {
    for (const control of open) {
      open.delete(control)
      control.enqueue(new Uint8Array(sent))
      control.close()
    }
  }
  return { stores: createStores({ profiles: { a: { storage } } }), cancelled, end }
}

describe('room for sealed bytes', () => {
  let folder: string
  let count = 0
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-fetch-'))))
  after(() => rmSync(folder, { recursive: true }))

  const object = { store: 'memory:default', key: 'sealed/a/b' }
  const freshPath = () => join(folder, `${(count += 1)}`)
  const fetch = (stores: ReturnType<typeof slow>['stores'], freeBytes: number, path = freshPath()) =>
    fetchSealed({ stores, host: { freeBytes: () => freeBytes } }, { object, path, signal })

  for (const size of [7, largeBytes])
    it(`writes and hashes ${size} bytes where there is just enough room`, async () => {
      const { stores, end } = slow(size)
      const path = freshPath()
      const fetching = fetch(stores, reserveBytes + size, path)
      await new Promise(setImmediate)
      end()
      const sha256 = createHash('sha256').update(new Uint8Array(size)).digest('hex')
      assert.deepEqual(await fetching, { byteSize: size, sha256 })
      assert.equal(readFileSync(path).byteLength, size)
    })

  it('takes not one byte where there is none, and lets go of the body', async () => {
    const { stores, cancelled } = slow(largeBytes)
    const path = freshPath()
    await assert.rejects(fetch(stores, reserveBytes + largeBytes - 1, path), (err: unknown) => {
      assert.ok(isRindleError(err) && err.code === 'insufficient_disk_headroom')
      assert.deepEqual(err.details, { neededBytes: reserveBytes + largeBytes, freeBytes: reserveBytes + largeBytes - 1 })
      return err.retryable
    })
    assert.equal(cancelled.length, 1)
    assert.equal(existsSync(path), false)
  })

  it('does not count on room that another job of this process was promised, until that one is done', async () => {
    const { stores, end } = slow(largeBytes)
    const free = reserveBytes + largeBytes + 100
    const first = fetch(stores, free)
    await new Promise(setImmediate)
    await assert.rejects(fetch(stores, free), { code: 'insufficient_disk_headroom' })
    end()
    await first
    const second = fetch(stores, free)
    await new Promise(setImmediate)
    end()
    assert.equal((await second)?.byteSize, largeBytes)
  })

  for (const [what, sent] of [
    ['fewer', largeBytes - 1],
    ['more', largeBytes + 1],
  ] as const)
    it(`is a fault of the storage when ${what} bytes come than it said, and holds no room afterwards`, async () => {
      const { stores, end } = slow(largeBytes, sent)
      const broken = fetch(stores, reserveBytes + largeBytes)
      await new Promise(setImmediate)
      end()
      await assert.rejects(broken, { code: 'storage_failed' })
      await assert.rejects(fetch(stores, reserveBytes + largeBytes - 1), { code: 'insufficient_disk_headroom' })
      const whole = slow(largeBytes)
      const again = fetch(whole.stores, reserveBytes + largeBytes)
      await new Promise(setImmediate)
      whole.end()
      assert.equal((await again)?.byteSize, largeBytes)
    })
})
