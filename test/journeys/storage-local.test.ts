import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type FileHandle, lstat, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { local } from '../../src/adapters/storage/local.ts'
import { createStores } from '../../src/adapters/storage/stores.ts'
import { isRindleError, type ErrorCode } from '../../src/core/errors.ts'
import type { StorageAdapter } from '../../src/core/ports/storage.ts'

const base = await mkdtemp(join(tmpdir(), 'rindle-local-'))
after(() => rm(base, { recursive: true, force: true }))

let stores = 0
const fresh = (): { directory: string; store: StorageAdapter } => {
  stores += 1
  const directory = join(base, `store-${stores}`)
  return { directory, store: local({ directory }) }
}

const put = (store: StorageAdapter, key: string, text: string) =>
  store.put(key, new Blob([text]).stream(), { contentType: 'text/plain', sizeBytes: Buffer.byteLength(text) })

const textAt = async (store: StorageAdapter, key: string): Promise<string> => new Response((await store.read(key))?.body).text()

const keysOf = async (store: StorageAdapter, prefix = ''): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(prefix)) keys.push(key)
  return keys
}

/** Everything below a folder, as `find` would show it. */
const found = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()

const rejectsWith = (code: ErrorCode, run: () => Promise<unknown>): Promise<void> =>
  assert.rejects(run, (err) => isRindleError(err) && err.code === code)

const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length

describe('a folder as storage', () => {
  it('is named by its absolute path, and is not made before the first write', async () => {
    const { directory, store } = fresh()
    assert.equal(store.id, `local:${directory}`)
    assert.equal(local({ directory: relative(process.cwd(), directory) }).id, store.id)
    assert.deepEqual(await keysOf(store), [])
    await store.delete('staging/s/o')
    await assert.rejects(() => stat(directory), { code: 'ENOENT' })
    assert.throws(
      () => local({ directory: '' }),
      (err) => isRindleError(err) && err.code === 'argument_invalid',
    )
  })

  it('keeps each object at the path that is its key, readable by nobody else, under any umask', async () => {
    const { directory, store } = fresh()
    const umask = process.umask(0)
    try {
      await put(store, 'sealed/a1/o1.jpg', 'bytes')
      await store.copy('sealed/a1/o1.jpg', 'variants/a1/thumb/o2.webp')
    } finally {
      process.umask(umask)
    }
    assert.equal(await readFile(join(directory, 'sealed/a1/o1.jpg'), 'utf8'), 'bytes')
    const modes = await Promise.all(
      (await found(directory)).map(async (name) => `${name} ${((await stat(join(directory, name))).mode & 0o777).toString(8)}`),
    )
    assert.deepEqual(modes, [
      'sealed 700',
      'sealed/a1 700',
      'sealed/a1/o1.jpg 600',
      'variants 700',
      'variants/a1 700',
      'variants/a1/thumb 700',
      'variants/a1/thumb/o2.webp 600',
    ])
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
  })

  it('has every byte on the disk before the name, and the name before anybody is told', async (test) => {
    const { directory, store } = fresh()
    await put(store, 'sealed/a/first', 'first')
    const handle = await open(directory, 'r')
    const handles: Pick<FileHandle, 'sync'> = Object.getPrototypeOf(handle)
    await handle.close()
    const { sync } = handles
    const steps: string[] = []
    test.mock.method(handles, 'sync', async function (this: FileHandle) {
      const of = (await this.stat()).isDirectory() ? 'folder' : 'bytes'
      const isNamed = (await found(directory)).includes('sealed/a/second')
      steps.push(`${of} ${isNamed ? 'after' : 'before'} the name`)
      return sync.call(this)
    })
    for (const write of [() => put(store, 'sealed/a/second', 'second'), () => store.copy('sealed/a/first', 'sealed/a/second')]) {
      steps.length = 0
      await write()
      assert.deepEqual(steps, ['bytes before the name', 'folder after the name'])
      await store.delete('sealed/a/second')
    }
  })

  it('leaves no folder behind when the last object in it goes', async () => {
    const { directory, store } = fresh()
    await put(store, 'staging/s1/o1', 'one')
    await put(store, 'staging/s2/o2', 'two')
    await store.delete('staging/s1/o1')
    assert.deepEqual(await found(directory), ['staging', 'staging/s2', 'staging/s2/o2'])
    await store.delete('staging/s2/o2')
    assert.deepEqual(await found(directory), [])
  })

  it('leaves no folder behind when a write fails', async () => {
    const { directory, store } = fresh()
    await rejectsWith('object_size_mismatch', () =>
      store.put('staging/s1/o1', new Blob(['four']).stream(), { contentType: 'text/plain', sizeBytes: 5 }),
    )
    assert.deepEqual(await found(directory), [])
  })

  it('copies bytes: the copy is no second name of the source, and a source that is written to by hand does not change it', async () => {
    const { directory, store } = fresh()
    await put(store, 'staging/s/o', 'announced')
    const writing = await open(join(directory, 'staging/s/o'), 'r+')
    await store.copy('staging/s/o', 'sealed/a/o.txt')
    const [source, copy] = await Promise.all(['staging/s/o', 'sealed/a/o.txt'].map((key) => stat(join(directory, key))))
    assert.notEqual(source?.ino, copy?.ino)
    assert.deepEqual([source?.nlink, copy?.nlink], [1, 1])
    await writing.write('CHANGED!!', 0)
    await writing.close()
    assert.equal(await textAt(store, 'sealed/a/o.txt'), 'announced')
  })

  it('never replaces a file by a copy', async () => {
    const { store } = fresh()
    await put(store, 'unmanaged/a', 'a')
    await put(store, 'unmanaged/b', 'b')
    await rejectsWith('object_exists', () => store.copy('unmanaged/a', 'unmanaged/b'))
    await rejectsWith('object_exists', () => store.copy('unmanaged/a', 'unmanaged/a'))
    assert.deepEqual([await textAt(store, 'unmanaged/a'), await textAt(store, 'unmanaged/b')], ['a', 'b'])
  })

  it('gives another etag once another hand has written into the file', async () => {
    const { directory, store } = fresh()
    const { etag } = await put(store, 'staging/s/o', 'announced')
    await sleep(20)
    await writeFile(join(directory, 'staging/s/o'), 'exchanged')
    assert.notEqual((await store.head('staging/s/o'))?.etag, etag)
    assert.equal(await store.copy('staging/s/o', 'sealed/a/o', { ifMatch: etag }), null)
    assert.deepEqual(await keysOf(store), ['staging/s/o'])
  })

  it('says so where a folder stands in the way of a file, or a file in the way of a folder', async () => {
    const { store } = fresh()
    await put(store, 'unmanaged/a/b', 'b')
    await rejectsWith('object_key_invalid', () => put(store, 'unmanaged/a', 'a'))
    await rejectsWith('object_key_invalid', () => put(store, 'unmanaged/a/b/c', 'c'))
    await rejectsWith('object_key_invalid', () => put(store, 'unmanaged/a/b/c/d', 'd'))
    for (const key of ['unmanaged/a', 'unmanaged/a/b/c', 'unmanaged/a/b/c/d']) {
      assert.equal(await store.head(key), null)
      assert.equal(await store.read(key), null)
      await store.delete(key)
    }
    assert.deepEqual(await keysOf(store), ['unmanaged/a/b'])
  })

  it('holds no file open after bodies were read, cancelled, aborted, or never looked at', async () => {
    const { store } = fresh()
    await put(store, 'unmanaged/small', 'x'.repeat(1000))
    await put(store, 'unmanaged/large', 'x'.repeat(2_000_000))
    await textAt(store, 'unmanaged/large')
    const before = await openFiles()
    for (let round = 0; round < 20; round += 1) {
      await textAt(store, 'unmanaged/large')
      await store.read('unmanaged/small')
      await (await store.read('unmanaged/large'))?.body.cancel()
      await rejectsWith('object_range_invalid', () => store.read('unmanaged/small', { range: { start: 1000, end: 1000 } }))
      const controller = new AbortController()
      const reader = (await store.read('unmanaged/large', { signal: controller.signal }))?.body.getReader()
      await reader?.read()
      controller.abort()
      await assert.rejects(async () => reader?.read())
    }
    for (let wait = 0; wait < 100 && (await openFiles()) > before; wait += 1) await sleep(10)
    assert.equal(await openFiles(), before)
  })

  it('fails a body whose file was cut short meanwhile, instead of ending it early', async () => {
    const { directory, store } = fresh()
    await put(store, 'unmanaged/a', 'x'.repeat(2_000_000))
    const reader = (await store.read('unmanaged/a'))?.body.getReader()
    await reader?.read()
    const file = await open(join(directory, 'unmanaged/a'), 'r+')
    await file.truncate(300_000)
    await file.close()
    await rejectsWith('storage_failed', async () => {
      while (!(await reader?.read())?.done);
    })
  })

  it('wraps what the file system refuses once, behind the guards, and keeps its cause', async () => {
    const directory = join(base, 'x'.repeat(300))
    const store = createStores({ profiles: { a: { storage: local({ directory }) } } }).of('a')
    for (const run of [() => put(store, 'unmanaged/a', 'a'), () => store.head('unmanaged/a'), () => keysOf(store)])
      await assert.rejects(
        run,
        (err) =>
          isRindleError(err) && err.code === 'storage_failed' && err.cause instanceof Error && /ENAMETOOLONG/.test(err.cause.message),
      )
  })
})

describe('a folder as storage cannot be left', () => {
  const outside = join(base, 'outside')
  const planted = async () => {
    const { directory, store } = fresh()
    await rm(outside, { recursive: true, force: true })
    await mkdir(join(outside, 'deep'), { recursive: true })
    await writeFile(join(outside, 'secret'), 'not yours')
    await put(store, 'unmanaged/here', 'here')
    return { directory, store }
  }
  const assertUntouched = async (): Promise<void> => {
    assert.deepEqual(await found(outside), ['deep', 'secret'])
    assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'not yours')
  }

  it('by a key with dots, slashes or backslashes', async () => {
    const { store } = await planted()
    for (const key of [
      '../outside/secret',
      'unmanaged/../../outside/secret',
      '/etc/passwd',
      'unmanaged/./here',
      'unmanaged//here',
      'unmanaged/..',
      'unmanaged\\..\\..',
      'unmanaged/a\0b',
      '',
    ]) {
      await rejectsWith('object_key_invalid', () => store.head(key))
      await rejectsWith('object_key_invalid', () => store.read(key))
      await rejectsWith('object_key_invalid', () => put(store, key, 'x'))
      await rejectsWith('object_key_invalid', () => store.delete(key))
      await rejectsWith('object_key_invalid', () => store.copy(key, 'unmanaged/b'))
      await rejectsWith('object_key_invalid', () => store.copy('unmanaged/here', key))
    }
    for (const prefix of ['../', '../outside/', 'unmanaged/../../outside/', '/etc/'])
      await rejectsWith('object_key_invalid', () => keysOf(store, prefix))
    await assertUntouched()
  })

  it('by a link in the place of a file', async () => {
    const { directory, store } = await planted()
    await symlink(join(outside, 'secret'), join(directory, 'unmanaged/link'))
    await symlink(join(outside, 'new'), join(directory, 'unmanaged/dangling'))
    for (const key of ['unmanaged/link', 'unmanaged/dangling']) {
      await rejectsWith('object_key_invalid', () => store.head(key))
      await rejectsWith('object_key_invalid', () => store.read(key))
      await rejectsWith('object_key_invalid', () => put(store, key, 'x'))
      await rejectsWith('object_key_invalid', () => store.copy(key, 'unmanaged/b'))
      await rejectsWith('object_key_invalid', () => store.copy('unmanaged/here', key))
    }
    assert.deepEqual(await keysOf(store), ['unmanaged/here'])
    await store.delete('unmanaged/link')
    await assert.rejects(() => lstat(join(directory, 'unmanaged/link')), { code: 'ENOENT' })
    await assertUntouched()
  })

  it('by a link in the place of a folder', async () => {
    const { directory, store } = await planted()
    await symlink(outside, join(directory, 'unmanaged/away'))
    await symlink(join(outside, 'gone'), join(directory, 'unmanaged/nowhere'))
    await symlink('..', join(directory, 'unmanaged/up'))
    await symlink('loop', join(directory, 'unmanaged/loop'))
    for (const key of ['unmanaged/away/secret', 'unmanaged/away/deep/x', 'unmanaged/up/unmanaged/here', 'unmanaged/loop/x']) {
      await rejectsWith('object_key_invalid', () => store.head(key))
      await rejectsWith('object_key_invalid', () => store.read(key))
      await rejectsWith('object_key_invalid', () => store.delete(key))
      await rejectsWith('object_key_invalid', () => store.copy(key, 'unmanaged/b'))
      await rejectsWith('object_key_invalid', () => keysOf(store, `${dirname(key)}/`))
    }
    for (const key of [
      'unmanaged/away/secret',
      'unmanaged/away/new',
      'unmanaged/away/new/er',
      'unmanaged/away/deep/x',
      'unmanaged/nowhere/x',
      'unmanaged/loop/x',
    ])
      await rejectsWith('object_key_invalid', () => put(store, key, 'x'))
    assert.deepEqual(await keysOf(store), ['unmanaged/here'])
    await assertUntouched()
  })

  it('by a link in the place of an unfinished write', async () => {
    const { directory, store } = await planted()
    const { stream, finish } = slowStream()
    const writing = store.put('unmanaged/new', stream, { contentType: 'text/plain' })
    const unfinished = await unfinishedFolder(directory)
    finish()
    await writing
    await store.delete('unmanaged/new')
    await symlink(outside, unfinished)
    await rejectsWith('object_key_invalid', () => put(store, 'unmanaged/new', 'x'))
    await store.delete('unmanaged/new')
    assert.equal((await put(store, 'unmanaged/new', 'x')).sizeBytes, 1)
    await assertUntouched()
  })

  it('and waits at no pipe', async () => {
    const { directory, store } = await planted()
    execFileSync('mkfifo', [join(directory, 'unmanaged/pipe')])
    assert.equal(await store.read('unmanaged/pipe'), null)
    assert.equal(await store.head('unmanaged/pipe'), null)
    assert.equal(await store.copy('unmanaged/pipe', 'unmanaged/b'), null)
    await store.delete('unmanaged/pipe')
    assert.deepEqual(await found(directory), ['unmanaged', 'unmanaged/here'])
  })

  it('though the folder itself may be reached by a link', async () => {
    const { directory } = await planted()
    await symlink(directory, join(base, `to-${basename(directory)}`))
    const store = local({ directory: join(base, `to-${basename(directory)}`) })
    assert.equal(await textAt(store, 'unmanaged/here'), 'here')
    await put(store, 'unmanaged/a/b', 'b')
    assert.deepEqual(await keysOf(store), ['unmanaged/a/b', 'unmanaged/here'])
  })
})

describe('several writers in one folder', () => {
  it('never fail because another removed the folder they were about to use', async () => {
    const { directory, store } = fresh()
    const other = local({ directory })
    const coming = async (writer: StorageAdapter, name: string): Promise<void> => {
      for (let round = 0; round < 60; round += 1) {
        await put(writer, `staging/s/deep/${name}`, name)
        await writer.delete(`staging/s/deep/${name}`)
      }
    }
    await Promise.all(['a', 'b', 'c', 'd'].map((name, index) => coming(index % 2 === 0 ? store : other, name)))
    assert.deepEqual(await found(directory), [])
  })

  it('of one key are so few that a ticket which is used over and over cannot fill the disk', async () => {
    const { directory, store } = fresh()
    const stop = new AbortController()
    const endless = () =>
      store.put('staging/s/o', new ReadableStream({ pull: () => new Promise(() => undefined) }), {
        contentType: 'text/plain',
        signal: stop.signal,
      })
    const writes = Array.from({ length: 40 }, endless).map((write) =>
      write.then(String, (err: NodeJS.ErrnoException) => err.code ?? err.name),
    )
    assert.equal(await Promise.race(writes), 'EEXIST')
    const unfinished = (await found(directory)).filter((path) => /part-\w+\/\d+$/.test(path))
    assert.equal(unfinished.length, 32)
    stop.abort()
    assert.equal((await Promise.all(writes)).filter((end) => end === 'EEXIST').length, 8)
    assert.deepEqual(await found(directory), [])
  })

  it('that write the same key at once leave the bytes of exactly one', async () => {
    const { directory, store } = fresh()
    const other = local({ directory })
    for (let round = 0; round < 20; round += 1) {
      const key = `staging/s/${round}`
      const outcomes = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((letter, index) => put(index % 2 === 0 ? store : other, key, letter.repeat(100_000))),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      assert.match(await textAt(store, key), /^(a+|b+|c+|d+)$/)
    }
    assert.equal((await found(directory)).length, 22)
  })
})

describe('a delete of what is still being written', () => {
  it('wins: the writer fails, and nothing is left', async () => {
    const { directory } = fresh()
    const store = createStores({ profiles: { a: { storage: local({ directory }) } } }).of('a')
    const { stream, finish } = slowStream()
    const writing = store.put('staging/s/o', stream, { contentType: 'text/plain' })
    await unfinishedFolder(directory, 'staging/s')
    await store.delete('staging/s/o')
    finish()
    await rejectsWith('storage_failed', () => writing)
    assert.deepEqual(await found(directory), [])
  })
})

describe('a process that is killed while it writes', () => {
  it('leaves nothing under the name of the object, lets the key be written again, and delete removes what it left', async () => {
    const { directory, store } = fresh()
    const child = await writer(
      directory,
      `
      await store.put('staging/s/o', new ReadableStream({ pull: (c) => new Promise((go) => setTimeout(() => { c.enqueue(new Uint8Array(1_100_000)); go() }, 5)) }), { contentType: 'text/plain' })
    `,
    )
    const unfinished = await unfinishedFolder(directory, 'staging/s')
    await until(async () => (await stat(join(unfinished, '0'))).size > 2_000_000)
    await child.kill()
    assert.equal(await store.head('staging/s/o'), null)
    assert.deepEqual(await keysOf(store), [])
    assert.deepEqual(await readdir(join(directory, 'staging/s')), [basename(unfinished)])

    await put(store, 'staging/s/o', 'again')
    assert.equal(await textAt(store, 'staging/s/o'), 'again')
    assert.deepEqual(await keysOf(store), ['staging/s/o'])
    await store.delete('staging/s/o')
    assert.deepEqual(await found(directory), [])
  })

  for (const afterMs of [40, 90, 170])
    it(`${afterMs} ms into many writes leaves only whole objects and what delete removes`, async () => {
      const { directory, store } = fresh()
      const child = await writer(
        directory,
        `
        let next = 0
        const one = async () => { for (;;) { const n = next++; const key = 'staging/' + (n % 7) + '/' + n
          await store.put(key, new Blob([Buffer.alloc(300_000, n % 251)]).stream(), { contentType: 'text/plain' })
          if (n % 3 === 0) await store.copy(key, key.replace('staging', 'sealed')) } }
        await Promise.all([one(), one(), one(), one()])
      `,
      )
      await until(async () => (await keysOf(store)).length > 3)
      await sleep(afterMs)
      await child.kill()
      const keys = await keysOf(store)
      assert.ok(keys.length > 3)
      for (const key of keys) {
        const bytes = Buffer.from(await new Response((await store.read(key))?.body).arrayBuffer())
        assert.ok(bytes.equals(Buffer.alloc(300_000, Number(basename(key)) % 251)), `${key} is not whole`)
      }
      const largest = Math.max(...keys.map((key) => Number(basename(key))))
      for (let n = 0; n <= largest + 8; n += 1) for (const role of ['staging', 'sealed']) await store.delete(`${role}/${n % 7}/${n}`)
      assert.deepEqual(await found(directory), [])
    })
})

const slowStream = (): { stream: ReadableStream<Uint8Array>; finish: () => void } => {
  let finish = (): void => undefined
  const finished = new Promise<void>((resolve) => (finish = resolve))
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await finished
      controller.close()
    },
  })
  return { stream, finish }
}

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  for (let wait = 0; wait < 2000; wait += 1) {
    if (await holds().catch(() => false)) return
    await sleep(5)
  }
  assert.fail('it did not come about within ten seconds')
}

const unfinishedFolder = async (directory: string, below = 'unmanaged'): Promise<string> => {
  let name: string | undefined
  await until(async () => {
    name = (await readdir(join(directory, below))).find((one) => one.startsWith('.rindle-part-'))
    return name !== undefined
  })
  return join(directory, below, name ?? '')
}

/** Another process that runs `code` over a store of that folder, until it is killed. */
const writer = async (directory: string, code: string): Promise<{ kill(): Promise<void> }> => {
  const adapter = new URL('../../src/adapters/storage/local.ts', import.meta.url).href
  const script = `import { local } from ${JSON.stringify(adapter)}\nconst store = local({ directory: ${JSON.stringify(directory)} })\n${code}`
  const child = spawn(process.execPath, ['--conditions=rindle-source', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  return {
    async kill() {
      assert.equal(child.exitCode, null, 'the writer ended by itself')
      child.kill('SIGKILL')
      assert.deepEqual(await ended, [null, 'SIGKILL'])
    },
  }
}
