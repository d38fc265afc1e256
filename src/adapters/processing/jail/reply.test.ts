import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unplayed } from '../../../core/played.ts'
import { replyFrom } from './reply.ts'

const facts = {
  kind: 'image',
  contentType: 'image/png',
  extension: 'png',
  width: 320,
  height: 240,
  frames: 1,
  hasAlpha: false,
  placeholder: 'k0oGLQaSVmeZeGiHV3inB4c=',
  dominantColor: '#146aa0',
  ...unplayed,
}
const film = {
  ...{ kind: 'video', contentType: 'video/mp4', extension: 'mp4', durationMs: 60_000, hasVideoTrack: true, hasAudioTrack: true },
  ...{ rotation: 270, framesPerSecond: 29.97, videoCodec: 'h264', audioCodec: 'pcm_s16le', placeholder: null, dominantColor: null },
}
const made = {
  name: 'thumb',
  ok: true,
  path: '/tmp/job/0.webp',
  contentType: 'image/webp',
  extension: 'webp',
  width: 32,
  height: 32,
  durationMs: null,
  hasAudioTrack: null,
  grid: null,
  byteSize: 120,
  sha256: 'ab'.repeat(32),
}
const grid = { tileWidth: 160, tileHeight: 90, columns: 3, rows: 2, count: 6, intervalMs: 1_000 }
const failed = { name: 'large', ok: false, code: 'variant_failed', message: 'The variant large could not be made from this file.' }
const figures = { gateCpuMs: 1.5, cpuMs: 2.5 }
const pass = (more: object = {}, wrong: object = {}) => ({
  kind: 'pass',
  passed: { verdict: 'pass', facts: { ...facts, ...more }, rewritten: null, variants: [made, failed], figures, ...wrong },
  residentBytes: 1,
})
const refuse = (more: object = {}) => ({
  kind: 'failure',
  code: 'mime_not_allowed',
  details: { mime: 'text/html', allowed: ['image/png'] },
  residentBytes: 1,
  ...more,
})
const read = (value: unknown) => replyFrom(JSON.stringify(value))

describe('the reply of a decoder', () => {
  it('is read as it was written when it is sound', () => {
    const nothing = { width: null, height: null, frames: null, hasAlpha: null, placeholder: null, dominantColor: null }
    const sound = [
      { kind: 'warm', problem: null, versions: { sharp: '0.35.5', libvips: '8.18.7' } },
      { kind: 'warm', problem: 'peer_missing', versions: null },
      { kind: 'need', bytes: 480_000_000 },
      { kind: 'gated' },
      { kind: 'progress', fraction: 0.25 },
      { kind: 'ask', start: 0, end: 1024 * 1024 },
      { kind: 'fault', problem: 'ENOSPC', residentBytes: 7 },
      refuse(),
      pass(),
      pass(film),
      pass({}, { variants: [{ ...made, grid }] }),
      pass({ ...nothing, kind: 'file', contentType: 'application/vnd.ms-excel', extension: '' }),
    ]
    for (const reply of sound) assert.deepEqual(read(reply), reply)
  })

  it('holds nothing that a sound child does not say', () => {
    const reply = replyFrom(JSON.stringify(pass()).replace('"verdict"', '"__proto__":{"admin":true},"more":1,"verdict"'))
    assert.deepEqual(reply, pass())
  })

  it('is nonsense when any part of it is', () => {
    const variants = (more: object) => pass({}, { variants: [{ ...made, ...more }] })
    const wrong: unknown[] = [
      null,
      [],
      'warm',
      {},
      { kind: 'constructor' },
      { kind: 'ask', start: 5, end: 5 },
      { kind: 'ask', start: -1, end: 5 },
      { kind: 'ask', start: 0.5, end: 5 },
      { kind: 'ask', start: 0, end: 1024 * 1024 + 1 },
      { kind: 'ask', start: '0', end: 5 },
      { kind: 'need' },
      { kind: 'need', bytes: -1 },
      { kind: 'need', bytes: 0.5 },
      { kind: 'need', bytes: '64' },
      { kind: 'warm', problem: null },
      { kind: 'warm', problem: null, versions: { sharp: '0.35.5' } },
      { kind: 'warm', problem: null, versions: { sharp: '0.35.5', libvips: '8.18.7\n' } },
      { kind: 'fault', problem: 'x' },
      { kind: 'fault', problem: 'x'.repeat(2_000), residentBytes: 1 },
      refuse({ code: '__proto__' }),
      refuse({ code: ['file_empty'] }),
      refuse({ details: null }),
      refuse({ details: { mime: 'a\0b' } }),
      refuse({ details: { allowed: [{ deep: 'a\ud800' }] } }),
      refuse({ details: { mime: 'x'.repeat(20_000) } }),
      refuse({ residentBytes: 'much' }),
      { kind: 'pass', residentBytes: 1 },
      pass({}, { verdict: 'refuse' }),
      pass({}, { figures: {} }),
      pass({}, { variants: {} }),
      pass({ kind: { written: '(select 1)' } }),
      pass({ contentType: { written: '(select 1)' } }),
      pass({ contentType: 'image/png\r\nset-cookie: a=b' }),
      pass({ contentType: 'image/jpg' }),
      pass({ extension: '../../etc' }),
      pass({ width: 0.5 }),
      pass({ height: 2 ** 31 }),
      pass({ frames: '1' }),
      pass({ hasAlpha: 1 }),
      ...[45, -90, '90', true].map((rotation) => pass({ ...film, rotation })),
      ...[-1, '25', 1e7, '1; drop table', {}].map((framesPerSecond) => pass({ ...film, framesPerSecond })),
      ...['', 'h264\n', 'a"b', 'x\0', 'H264', '../h264', 'a'.repeat(41), 264, ['h264'], { written: '(select 1)' }].flatMap((codec) => [
        pass({ ...film, videoCodec: codec }),
        pass({ ...film, audioCodec: codec }),
      ]),
      ...Object.keys(unplayed).map((missing) => pass({ [missing]: undefined })),
      pass({ durationMs: 0.5 }),
      pass({ hasVideoTrack: 'true' }),
      pass({ placeholder: { written: '(select current_user)' } }),
      pass({ placeholder: '");background:url(https://evil.test' }),
      pass({ dominantColor: 'red' }),
      variants({ name: {} }),
      variants({ ok: 'true' }),
      variants({ path: 7 }),
      variants({ contentType: 'text/html' }),
      variants({ contentType: 'image/svg+xml' }),
      variants({ extension: 'a/../../b' }),
      variants({ width: -1 }),
      variants({ byteSize: -1 }),
      variants({ grid: { ...grid, count: 7 } }),
      variants({ grid: { ...grid, columns: 50_000, rows: 50_000, count: 2 ** 31 - 1 } }),
      variants({ sha256: 'zz' }),
      variants({ ok: false, code: 'no_such', message: 'x' }),
      variants({ ok: false, code: 'variant_failed', message: 'a\0b' }),
      variants({ ok: false, code: 'variant_failed', message: 'a\ud800' }),
    ]
    for (const value of wrong) assert.equal(read(value), null, JSON.stringify(value))
    for (const line of ['', '{', '['.repeat(100_000)]) assert.equal(replyFrom(line), null)
  })
})
