import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import { RindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { releaseQuarantine } from '../../src/flows/assets/release-quarantine.ts'
import { download } from '../../src/flows/unmanaged/download.ts'
import { hasProgram } from '../../prove/files/tools.ts'
import { engines } from '../services/engines.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
/** A photo whose bytes say where it was made. */
const located = (): Promise<Buffer<ArrayBuffer>> =>
  sharp({ create: { width: 320, height: 240, channels: 3, background: '#146aa0' } })
    .withExif({ IFD0: { Make: 'Ours' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '48/1 12/1 30/1' } })
    .jpeg()
    .toBuffer()
    .then((bytes) => Buffer.from(bytes))
const exifOf = async (bytes: Uint8Array): Promise<Buffer> => (await sharp(bytes).metadata()).exif ?? Buffer.alloc(0)
/** The pointer to the location's own list, in either order of bytes. */
const saysPlace = (exif: Buffer): boolean => exif.includes(Buffer.from([0x88, 0x25])) || exif.includes(Buffer.from([0x25, 0x88]))

const moving = ['image/png', 'image/avif']
const noMovies = ['ffmpeg', 'avifenc'].every(hasProgram) ? false : 'ffmpeg or avifenc is not installed'
/** Five frames as an animated PNG, or as a sequence of AVIF. */
const movingPicture = (folder: string, extension: 'png' | 'avif'): Buffer<ArrayBuffer> => {
  const source = ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=96x64:rate=5:duration=1', '-bitexact']
  const [path, frames] = [join(folder, `moving.${extension}`), join(folder, 'frame%d.png')]
  if (extension === 'png') execFileSync('ffmpeg', [...source, '-f', 'apng', path])
  else {
    execFileSync('ffmpeg', [...source, frames])
    execFileSync('avifenc', ['--fps', '5', '-s', '10', ...[1, 2, 3, 4, 5].map((one) => frames.replace('%d', String(one))), path])
  }
  return Buffer.from(readFileSync(path))
}

for (const engine of engines) {
  describe(`a file on its whole way through the gate on ${engine.name}`, { skip: engine.skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-whole-'))
    let jail: Jail
    let stand: Stand
    let threat: string | null = null
    let output: (source: Uint8Array, width: number) => Promise<Buffer> = (source, width) =>
      sharp(source).resize({ width }).webp().toBuffer()
    const scanned: string[] = []
    before(async () => {
      jail = createJail({ concurrency: 1, scratchFolder: folder, logger: silentLogger })
      stand = await openStand(engine, {
        jail,
        profiles: (media) => ({
          photo: defineProfile({
            ...media,
            scanners: [
              {
                name: 'ours',
                scan: async (file) => {
                  scanned.push(file.sha256)
                  return threat === null ? { clean: true } : { clean: false, threat }
                },
              },
            ],
            processor: {
              name: 'watermark',
              async process({ file, recipe, destination }) {
                await writeFile(
                  destination,
                  await output(await new Response(file.stream()).bytes(), (recipe.kind === 'image' ? recipe.width : null) ?? 1),
                )
              },
            },
            variants: { thumb: image({ width: 32 }) },
          }),
          five: defineProfile({ ...media, allowMime: moving, maxFrames: 5, variants: { thumb: image({ width: 32 }) } }),
          four: defineProfile({ ...media, allowMime: moving, maxFrames: 4, variants: { thumb: image({ width: 32 }) } }),
        }),
      })
    })
    after(async () => {
      await stand.close()
      await jail.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const land = async (bytes: Buffer<ArrayBuffer>) =>
      (await stand.land(bytes, { filename: 'me.jpg', contentType: 'image/jpeg' }, 'photo')).assetId
    const bytesOf = async (assetId: string) => {
      const { key } = await stand.one(
        'select o.key from rindle.media_objects o join rindle.media_assets a on a.object_id = o.id where a.id = $1',
        assetId,
      )
      const chunks: Uint8Array[] = []
      await download(stand.ctx, 'photo', String(key), new WritableStream({ write: (chunk) => void chunks.push(chunk) }))
      return Buffer.concat(chunks)
    }

    it(
      'loses its location, is scanned as it is served, is held back, released, and shown by what the app made',
      { timeout: 120_000 },
      async () => {
        const came = await located()
        assert.ok(saysPlace(await exifOf(came)))
        threat = 'Test'
        const assetId = await land(came)
        await stand.work()
        assert.equal((await readAsset(stand.ctx, assetId))?.error?.code, 'malware_found')
        assert.equal(sha256(await bytesOf(assetId)), sha256(came))
        await releaseQuarantine(stand.ctx, assetId, { reason: 'ours', actor: 'olga' })
        await stand.work()

        const asset = await readAsset(stand.ctx, assetId)
        const served = await bytesOf(assetId)
        assert.deepEqual([asset?.state, asset?.receivedSha256, asset?.byteSize], ['ready', sha256(came), served.byteLength])
        assert.notEqual(sha256(served), sha256(came))
        assert.deepEqual(scanned, [sha256(served), sha256(served)])
        const exif = await exifOf(served)
        assert.ok(exif.includes('Ours') && !saysPlace(exif))
        const row = await stand.one(
          'select content_type, width, height, byte_size::int as size from rindle.media_variants where asset_id = $1',
          assetId,
        )
        assert.deepEqual([row['content_type'], row['width'], row['height']], ['image/webp', 32, 24])
        await stand.pass(9_000)
        await stand.assertLedger()
        assert.equal((await stand.keys()).length, 2)
      },
    )

    for (const [extension, contentType] of [
      ['png', 'image/png'],
      ['avif', 'image/avif'],
    ] as const)
      it(
        `counts what moves in a ${contentType}, whose decoder shows the first frame alone`,
        { timeout: 120_000, skip: noMovies },
        async () => {
          const bytes = movingPicture(folder, extension)
          const landed = async (profile: string, filename = `me.${extension}`) =>
            (await stand.land(bytes, { filename, contentType }, profile)).assetId
          const taken = await landed('five')
          const refused = await landed('four')
          const renamed = await landed('four', extension === 'png' ? 'me.apng' : 'me.avifs')
          await stand.work()
          assert.deepEqual(await stand.states(taken).then(({ asset, variants }) => [asset, ...variants]), ['ready', 'thumb ready'])
          const row = await stand.one('select content_type, width, height from rindle.media_assets where id = $1', taken)
          assert.deepEqual(row, { content_type: contentType, width: 96, height: 64 })
          assert.deepEqual(await bytesOf(taken), bytes)
          for (const assetId of [refused, renamed]) {
            const { state, error } = (await readAsset(stand.ctx, assetId)) ?? {}
            assert.deepEqual([state, error?.code], ['quarantined', 'max_frames_exceeded'])
            assert.match(error?.message ?? '', /5 frames; at most 4/)
          }
        },
      )

    it('fails a variant of the app that the jail cannot open, and believes no name', { timeout: 120_000 }, async () => {
      threat = null
      for (const made of [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), Buffer.from('%PDF-1.7\n'), Buffer.alloc(0)]) {
        output = async () => made
        const assetId = await land(await located())
        await stand.work()
        const { asset, variants } = await stand.states(assetId)
        assert.deepEqual([asset, variants], ['degraded', ['thumb failed']])
        const row = await stand.one('select error_code from rindle.media_variants where asset_id = $1', assetId)
        assert.equal(row['error_code'], 'variant_failed')
      }
      output = async () => {
        throw new RindleError('variant_failed', { variant: 'thumb' })
      }
      const assetId = await land(await located())
      await stand.work()
      assert.equal((await stand.states(assetId)).asset, 'degraded')
    })
  })
}
