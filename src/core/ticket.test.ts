import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRindleError } from './errors.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import {
  type GetTicket,
  maxTicketCharacters,
  mintTicket,
  openTicket,
  type PutTicket,
  type TicketPurpose,
  type TrackTicket,
} from './ticket.ts'

const oldSecret = 'the secret of last year, still long enough'
const newSecret = 'the secret of this year, which is long too'
const foreignSecret = 'the secret of somebody else, long as well!'
const ring = createKeyRing([oldSecret])

const noon = new Date('2026-01-01T12:00:00Z')
const later = (seconds: number): Date => new Date(noon.getTime() + seconds * 1000)

const put: PutTicket = {
  store: 'local:/srv/app/files',
  key: 'staging/s1/o1',
  objectId: 'o1',
  sessionId: 's1',
  sizeBytes: 48_213,
  contentType: 'image/jpeg',
  sha256: 'ab'.repeat(32),
  createOnly: true,
  issuedAt: noon,
  expiresAt: later(900),
}
const get: GetTicket = {
  store: 'local:/srv/app/files',
  key: 'sealed/a1/o2.jpg',
  objectId: 'o2',
  contentType: 'image/jpeg',
  contentDisposition: `inline; filename="me.jpg"; filename*=UTF-8''me.jpg`,
  cache: 'private',
  issuedAt: noon,
  expiresAt: later(86_400),
}

const track: TrackTicket = { assetId: 'a1', objectId: 'o3', cache: 'private', issuedAt: noon, expiresAt: later(900) }

const codeOf = (token: string, purpose: TicketPurpose = 'put', now = noon, keys = ring): string => {
  try {
    openTicket(keys, purpose, token, now)
  } catch (err) {
    return isRindleError(err) ? err.code : String(err)
  }
  return 'it was accepted'
}

const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

describe('a ticket', () => {
  it('says exactly what it was made for', () => {
    assert.deepEqual(openTicket(ring, 'put', mintTicket(ring, 'put', put), noon), put)
    assert.deepEqual(openTicket(ring, 'get', mintTicket(ring, 'get', get), noon), get)
    const open: PutTicket = { ...put, sessionId: null, sha256: null, createOnly: false }
    assert.deepEqual(openTicket(ring, 'put', mintTicket(ring, 'put', open), noon), open)
    assert.deepEqual(openTicket(ring, 'track', mintTicket(ring, 'track', track), noon), track)
    const published: GetTicket = { ...get, objectId: null, cache: 'public' }
    assert.deepEqual(openTicket(ring, 'get', mintTicket(ring, 'get', published), noon), published)
  })

  it('is two words of base64url, and equal claims make equal tickets', () => {
    const token = mintTicket(ring, 'put', put)
    assert.match(token, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/)
    assert.equal(mintTicket(ring, 'put', put), token)
  })

  it('tells its holder nothing about folders, keys or types', () => {
    for (const token of [mintTicket(ring, 'put', put), mintTicket(ring, 'get', get)]) {
      const seen = token
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
        .join()
      for (const word of ['local', 'srv', 'staging', 'sealed', 's1', 'jpeg', 'me.jpg']) assert.ok(!seen.includes(word), word)
    }
  })

  it('is refused when any one character of it is another, spare bits included', () => {
    const token = mintTicket(ring, 'put', put)
    for (let at = 0; at < token.length; at += 1) {
      for (const other of [...base64url.slice(0, 4), ...base64url.slice(-4), '.', '=', ' ', 'é']) {
        if (token[at] === other) continue
        assert.equal(codeOf(token.slice(0, at) + other + token.slice(at + 1)), 'ticket_invalid')
      }
    }
    for (const other of base64url) {
      const changed = token.slice(0, -1) + other
      if (changed !== token) assert.equal(codeOf(changed), 'ticket_invalid')
    }
  })

  it('is refused when it was cut, lengthened, or put together from two', () => {
    const token = mintTicket(ring, 'put', put)
    const other = mintTicket(ring, 'put', { ...put, sizeBytes: 1_000_000 })
    for (let length = 0; length < token.length; length += 1) assert.equal(codeOf(token.slice(0, length)), 'ticket_invalid')
    for (const changed of [`${token}.`, `${token}A`, `${token}=`, `.${token}`, ` ${token}`, `${token}\n`, `${token}.${token}`])
      assert.equal(codeOf(changed), 'ticket_invalid')
    assert.equal(codeOf(`${token.split('.')[0]}.${other.split('.')[1]}`), 'ticket_invalid')
    assert.equal(codeOf(`${other.split('.')[0]}.${token.split('.')[1]}`), 'ticket_invalid')
  })

  it('is good for its own purpose only', () => {
    assert.equal(codeOf(mintTicket(ring, 'put', put), 'get'), 'ticket_invalid')
    assert.equal(codeOf(mintTicket(ring, 'get', get), 'put'), 'ticket_invalid')
    assert.equal(codeOf(mintTicket(ring, 'get', get), 'track'), 'ticket_invalid')
    assert.equal(codeOf(mintTicket(ring, 'track', track), 'get'), 'ticket_invalid')
    const keysAskedFor = (mint: (keys: KeyRing) => string): Set<string> => {
      const asked = new Set<string>()
      mint({ keysFor: (purpose) => ring.keysFor(asked.add(purpose) && purpose) })
      return asked
    }
    const toPut = keysAskedFor((keys) => mintTicket(keys, 'put', put))
    const toGet = keysAskedFor((keys) => mintTicket(keys, 'get', get))
    const toTrack = keysAskedFor((keys) => mintTicket(keys, 'track', track))
    for (const [one, other] of [
      [toPut, toGet],
      [toGet, toTrack],
      [toTrack, toPut],
    ] as const)
      assert.ok(one.size > 0 && one.isDisjointFrom(other), 'not its claims alone tell them apart, but its keys')
  })

  it('ends at its end', () => {
    const token = mintTicket(ring, 'put', put)
    assert.equal(codeOf(token, 'put', later(899.999)), 'it was accepted')
    assert.equal(codeOf(token, 'put', later(900)), 'ticket_expired')
    assert.equal(codeOf(mintTicket(ring, 'get', get), 'get', later(86_401)), 'ticket_expired')
  })

  it('that was tampered with is invalid, not expired, whenever it is shown', () => {
    const token = mintTicket(ring, 'put', put)
    assert.equal(codeOf(`A${token.slice(1)}`.replace(/^AA/, 'BA'), 'put', later(9_000)), 'ticket_invalid')
  })

  it('that writes lives fifteen minutes at most', () => {
    assert.throws(
      () => mintTicket(ring, 'put', { ...put, expiresAt: later(901) }),
      (err) => isRindleError(err) && err.code === 'argument_invalid',
    )
    assert.throws(() => mintTicket(ring, 'put', { ...put, expiresAt: new Date(Number.NaN) }))
  })

  it('of a secret that is not ours is refused', () => {
    assert.equal(codeOf(mintTicket(createKeyRing([foreignSecret]), 'put', put)), 'ticket_invalid')
  })

  it('outlives a rotation of secrets until the old one is dropped', () => {
    const rotated = createKeyRing([newSecret, oldSecret])
    const before = mintTicket(ring, 'put', put)
    const after = mintTicket(rotated, 'put', put)
    assert.notEqual(before, after)
    assert.equal(codeOf(before, 'put', noon, rotated), 'it was accepted')
    assert.equal(codeOf(after, 'put', noon, rotated), 'it was accepted')
    assert.equal(codeOf(after), 'ticket_invalid')
    assert.equal(codeOf(before, 'put', noon, createKeyRing([newSecret])), 'ticket_invalid')
  })

  it('of any size is refused without being decoded', () => {
    for (const huge of ['A'.repeat(50_000_000), '.'.repeat(50_000_000), `${'A'.repeat(50_000_000)}.${'A'.repeat(43)}`]) {
      const started = process.hrtime.bigint()
      assert.equal(codeOf(huge), 'ticket_invalid')
      assert.ok(process.hrtime.bigint() - started < 50_000_000n)
    }
    assert.throws(
      () => mintTicket(ring, 'get', { ...get, contentDisposition: 'x'.repeat(maxTicketCharacters) }),
      (err) => isRindleError(err) && err.code === 'argument_invalid',
    )
  })

  it('fits the largest key, store and filename there can be', () => {
    const token = mintTicket(ring, 'get', {
      ...get,
      key: `unmanaged/${'é/'.repeat(337)}b`,
      store: `local:/${'d'.repeat(1024)}`,
      contentDisposition: `attachment; filename="${'_'.repeat(255)}"; filename*=UTF-8''${'%C3%9C'.repeat(127)}`,
    })
    assert.equal(codeOf(token, 'get'), 'it was accepted')
  })
})
