import { createRindle, defineProfile, image, RindleError, version } from 'rindle'
import { createHandler } from 'rindle/http'
import { pglite } from 'rindle/pglite'
import { clamav } from 'rindle/scanners/clamav'
import { local } from 'rindle/storage/local'
import { memory } from 'rindle/storage/memory'
import { s3, type S3Options } from 'rindle/storage/s3'

// Compiled, never run: what a strict app writes, and what must not compile.
const avatar = defineProfile({
  storage: local({ directory: 'objects' }),
  allowMime: ['image/jpeg'],
  maxBytes: 8_000_000,
  variants: { thumb: image({ mode: 'fill', width: 128, height: 128 }) },
})
const bucket: S3Options = {
  bucket: 'consumer',
  region: 'eu-central-1',
  credentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }),
}
const clip = defineProfile({ kind: 'file', storage: s3(bucket), allowMime: ['video/mp4'], maxBytes: 5e12, delivery: { public: true } })
const report = defineProfile({
  kind: 'file',
  storage: memory(),
  allowMime: ['application/pdf'],
  maxBytes: 1_000_000,
  scanners: [clamav({ socketPath: '/run/clamav/clamd.ctl' })],
})

export const rindle = createRindle({
  profiles: { avatar, clip, report },
  slots: { avatar: { profile: 'avatar' }, reports: { profile: 'report', many: true } },
  database: pglite('db'),
  secrets: ['thirty-two bytes or more of something that nobody guesses'],
})

export async function use(): Promise<string> {
  const asset = await rindle.upload('avatar', new Uint8Array(3), { filename: 'me.jpg' })
  await rindle.attach(asset, { type: 'User', id: 7n }, 'avatar')
  const attachment = await rindle.attachmentFor({ type: 'User', id: 7 }, 'avatar')
  // @ts-expect-error: no such profile
  await rindle.upload('avatr', new Uint8Array(3), { filename: 'me.jpg' })
  // @ts-expect-error: no such slot
  await rindle.attachmentFor({ type: 'User', id: 7 }, 'banner')
  return rindle.pictureTag(attachment, { variants: ['thumb'], alt: 'Me' })
}

export const handler: (request: Request) => Promise<Response> = createHandler(rindle, {
  identify: () => ({ id: 1 }),
  authorize: () => true,
})

export const known: boolean = new RindleError('asset_not_found', { assetId: 'x' }) instanceof Error && version.length > 0
