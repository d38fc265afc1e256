import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { SignedRequest, StorageAdapter } from '../../core/ports/storage.ts'
import {
  assertNothing,
  bytesAt,
  encode,
  nowOf,
  patternOf,
  put,
  send,
  signPut,
  type StorageContractCase,
  type StorageContractContext,
  tamperedUrls,
  text,
} from './trial.ts'

const isYes = (status: number): boolean => status >= 200 && status < 300
const isRefused = (status: number): boolean => status >= 400 && status < 500

/** Tickets that write: one PUT, as it was signed. */
const writingTickets: readonly StorageContractCase[] = [
  {
    name: 'takes a PUT with a ticket, as it was signed',
    needs: 'presigned_put',
    async run(adapter, context) {
      const bytes = patternOf(300_000)
      for (const name of ['a', 'b c+d&e=f/100%/é 😀.txt']) {
        const key = context.folder + name
        const at = nowOf(context)
        const ticket = await signPut(adapter, context, key, { sizeBytes: bytes.byteLength, at, ttlSeconds: 60 })
        assert.equal(ticket.method, 'PUT')
        assert.equal(ticket.expiresAt.getTime(), at.getTime() + 60_000)
        assert.equal(await adapter.head(key), null)
        const { status } = await send(context, ticket, bytes)
        assert.ok(isYes(status), `it was answered ${status}`)
        const head = await adapter.head(key)
        assert.deepEqual([head?.sizeBytes, head?.contentType], [bytes.byteLength, text])
        assert.ok(Buffer.from(bytes).equals(await bytesAt(adapter, key)))
      }
    },
  },
  {
    name: 'refuses a PUT of another length than its ticket says',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5 })
      for (const bytes of ['hell', 'hello!', patternOf(70_000), ''])
        assert.equal((await send(context, ticket, bytes)).status, 403, `${bytes.length} bytes`)
      await assertNothing(adapter, key, context.folder)
    },
  },
  {
    name: 'refuses a PUT that lacks a header of its ticket, or has it otherwise',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const sha256 = createHash('sha256').update('hello').digest('hex')
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5, sha256 })
      const plain = await signPut(adapter, context, key, { sizeBytes: 5 })
      const names = Object.keys(ticket.headers).filter((name) => name.toLowerCase() !== 'content-length')
      assert.ok(Object.keys(ticket.headers).length > Object.keys(plain.headers).length, 'the checksum is bound by no header')
      for (const name of names) {
        const { [name]: value = '', ...rest } = ticket.headers
        assert.equal((await send(context, ticket, 'hello', { headers: rest })).status, 403, `without ${name}`)
        assert.equal((await send(context, ticket, 'hello', { headers: { ...rest, [name]: otherThan(value) } })).status, 403, name)
      }
      await assertNothing(adapter, key, context.folder)
      assert.ok(isYes((await send(context, ticket, 'hello')).status))
      assert.deepEqual(await bytesAt(adapter, key), encode('hello'))
    },
  },
  {
    name: 'takes nothing from another object, and opens nothing to others, by headers that its ticket does not name',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5 })
      await put(adapter, `${context.folder}other`, 'other')
      const { pathname } = new URL(ticket.url)
      const foreign = {
        'x-amz-copy-source': pathname.slice(0, pathname.lastIndexOf('/')) + '/other',
        'x-amz-acl': 'public-read',
        'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
      }
      for (const [name, value] of Object.entries(foreign)) {
        const { status } = await send(context, ticket, 'hello', { headers: { ...ticket.headers, [name]: value } })
        assert.ok(isRefused(status), `${name} was answered ${status}`)
        assert.equal(await adapter.head(key), null, name)
      }
      assert.ok(isYes((await send(context, ticket, 'hello')).status))
      assert.deepEqual(await bytesAt(adapter, key), encode('hello'))
    },
  },
  {
    name: 'refuses a PUT of another type than its ticket says',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5 })
      for (const type of ['text/html', 'image/svg+xml', 'text/plain; charset=utf-8']) {
        const headers = Object.fromEntries(Object.entries(ticket.headers).filter(([name]) => name.toLowerCase() !== 'content-type'))
        assert.equal((await send(context, ticket, 'hello', { headers: { ...headers, 'content-type': type } })).status, 403, type)
      }
      await assertNothing(adapter, key, context.folder)
    },
  },
  {
    name: 'refuses a ticket after its end',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const at = new Date(nowOf(context).getTime() - 120_000)
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5, at, ttlSeconds: 60 })
      assert.equal((await send(context, ticket, 'hello')).status, 403)
      await assertNothing(adapter, key, context.folder)
    },
  },
  {
    name: 'refuses a ticket that was changed, or is used for something else',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5 })
      for (const url of tamperedUrls(ticket.url)) {
        const { status } = await send(context, ticket, 'hello', { url })
        assert.ok(isRefused(status), `answered ${status} to ${new URL(url).search.replaceAll(/=[^&]*/g, '')}`)
      }
      await put(adapter, `${context.folder}b`, 'there')
      const other = await signPut(adapter, context, `${context.folder}b`, { sizeBytes: 5 })
      for (const method of ['GET', 'HEAD', 'DELETE'])
        assert.equal((await send(context, other, null, { method, headers: {} })).status, 403, method)
      assert.deepEqual(await bytesAt(adapter, `${context.folder}b`), encode('there'))
      assert.equal(await adapter.head(key), null)
    },
  },
  {
    name: 'lets a used ticket change nothing where it claims create-only, and replace the whole elsewhere',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const ticket = await signPut(adapter, context, key, { sizeBytes: 5 })
      assert.ok(isYes((await send(context, ticket, 'first')).status))
      const isCreateOnly = adapter.capabilities.has('create_only_put')
      const { status } = await send(context, ticket, 'other')
      assert.ok(isCreateOnly ? status === 412 : isYes(status), `the second PUT was answered ${status}`)
      assert.deepEqual(await bytesAt(adapter, key), encode(isCreateOnly ? 'first' : 'other'))
    },
  },
  {
    name: 'lets one of several simultaneous PUTs with a ticket through where it claims create-only, and one of them win elsewhere',
    needs: 'presigned_put',
    async run(adapter, context) {
      const key = `${context.folder}a`
      const rivals = Array.from({ length: 6 }, (_, index) => patternOf(400_000, index))
      const ticket = await signPut(adapter, context, key, { sizeBytes: 400_000 })
      const answers = await Promise.all(rivals.map((bytes) => send(context, ticket, bytes)))
      const winners = rivals.filter((_, index) => isYes(answers[index]?.status ?? 0))
      const found = await bytesAt(adapter, key)
      assert.ok(winners.some((bytes) => Buffer.from(bytes).equals(found)))
      if (!adapter.capabilities.has('create_only_put')) return
      assert.equal(winners.length, 1)
      for (const { status } of answers) assert.ok(isYes(status) || status === 412 || status === 409, `answered ${status}`)
    },
  },
]

const getTicket = async (
  adapter: StorageAdapter,
  context: StorageContractContext,
  key: string,
  options: { readonly at?: Date; readonly contentDisposition?: string } = {},
): Promise<SignedRequest> => {
  assert.ok(adapter.signGet, 'it claims signed_url and has no signGet')
  return adapter.signGet(key, {
    at: nowOf(context),
    ttlSeconds: 60,
    contentType: 'text/csv',
    contentDisposition: 'attachment',
    ...options,
  })
}

/** Tickets that read, and addresses that need none. */
const readingTickets: readonly StorageContractCase[] = [
  {
    name: 'serves an object by ticket, of the type and disposition that were signed',
    needs: 'signed_url',
    async run(adapter, context) {
      for (const name of ['a', 'b c+d&e=f/100%/é 😀.txt']) {
        const key = context.folder + name
        await put(adapter, key, 'hello world')
        const contentDisposition = 'attachment; filename="a \\"b\\".csv"; filename*=UTF-8\'\'%C3%A4%20b.csv'
        const at = nowOf(context)
        const ticket = await getTicket(adapter, context, key, { contentDisposition, at })
        assert.equal(ticket.method, 'GET')
        assert.equal(ticket.expiresAt.getTime(), at.getTime() + 60_000)
        const { status, headers, body } = await send(context, ticket, null)
        assert.equal(status, 200)
        assert.deepEqual(body, encode('hello world'))
        assert.deepEqual([headers['content-type'], headers['content-disposition']], ['text/csv', contentDisposition])
        const part = await send(context, ticket, null, { headers: { ...ticket.headers, range: 'bytes=6-8' } })
        assert.equal(part.status, 206)
        assert.deepEqual(part.body, encode('wor'))
      }
    },
  },
  {
    name: 'refuses to serve by a ticket after its end, one that was changed, and to write by it',
    needs: 'signed_url',
    async run(adapter, context) {
      const key = `${context.folder}a`
      await put(adapter, key, 'there')
      const old = await getTicket(adapter, context, key, { at: new Date(nowOf(context).getTime() - 120_000) })
      assert.equal((await send(context, old, null)).status, 403)
      const ticket = await getTicket(adapter, context, key)
      for (const url of tamperedUrls(ticket.url)) {
        const { status } = await send(context, ticket, null, { url })
        assert.ok(isRefused(status), `answered ${status} to ${new URL(url).search.replaceAll(/=[^&]*/g, '')}`)
      }
      assert.equal((await send(context, ticket, 'other', { method: 'PUT' })).status, 403)
      assert.equal((await send(context, ticket, null, { method: 'DELETE' })).status, 403)
      assert.deepEqual(await bytesAt(adapter, key), encode('there'))
    },
  },
  {
    name: 'has one unsigned address for each key, which names it',
    needs: 'public_url',
    async run(adapter, { folder }) {
      const names = ['a', 'b c+d&e=f/100%/é 😀.txt', 'a%20b', 'a b', 'a+b']
      const urls = names.map((name) => adapter.publicUrl?.(folder + name) ?? '')
      assert.deepEqual(
        names.map((name) => adapter.publicUrl?.(folder + name)),
        urls,
      )
      assert.equal(new Set(urls).size, names.length)
      for (const [index, url] of urls.entries()) {
        const { pathname, search, hash } = new URL(url)
        assert.ok(decodeURIComponent(pathname).endsWith(folder + names[index]), `the address of ${names[index]} names another key`)
        assert.deepEqual([search, hash], ['', ''])
      }
    },
  },
]

const otherThan = (value: string): string => (value.startsWith('a') ? 'b' : 'a') + value.slice(1)

export const signingCases: readonly StorageContractCase[] = [...writingTickets, ...readingTickets]
