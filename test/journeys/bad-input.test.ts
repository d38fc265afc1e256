import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import sharp from 'sharp'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { local } from '../../src/adapters/storage/local.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { upload } from '../../src/flows/uploads/upload.ts'
import { engines } from '../services/engines.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

const picture = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#3366cc' } })

for (const engine of engines) {
  describe(`bad input, with real decoders and files, on ${engine.name}`, { skip: engine.skip }, () => {
    let folder: string
    let jail: Jail
    let stand: Stand
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'rindle-bad-input-'))
      jail = createJail({ concurrency: 1, logger: silentLogger })
      stand = await openStand(engine, { storage: local({ directory: join(folder, 'files') }), jail })
    })
    afterEach(() => stand.empty())
    after(async () => {
      await stand.close()
      await jail.close()
      rmSync(folder, { recursive: true, force: true })
    })

    const bytesOf = (buffer: Uint8Array) => new Uint8Array(buffer)
    const verdictOn = async (bytes: Uint8Array, filename: string, profile = 'avatar') => {
      const { assetId } = await stand.land(bytesOf(bytes), { filename }, profile)
      await stand.work()
      const asset = await readAsset(stand.ctx, assetId)
      await stand.assertLedger()
      return { assetId, state: asset?.state, code: asset?.error?.code ?? null, message: asset?.error?.message ?? null }
    }

    it('gets a verdict on the row that a person understands', async () => {
      const jpeg = await picture(40, 30).jpeg().toBuffer()
      const cases = [
        ['a lying extension', jpeg, 'me.png', 'avatar', 'extension_mime_mismatch', /ends in \.png.*jpeg/i],
        ['a type that is not taken', await picture(4, 4).gif().toBuffer(), 'me.png', 'avatar', 'mime_not_allowed', /gif/i],
        ['no picture at all', Buffer.from('<?php echo 1;'.repeat(20)), 'me.jpg', 'avatar', 'type_unknown', /recogni|type/i],
        ['an empty file', Buffer.alloc(0), 'me.jpg', 'avatar', 'file_empty', /empty/i],
        ['a truncated file', jpeg.subarray(0, Math.floor(jpeg.length / 2)), 'me.jpg', 'avatar', 'decode_failed', /damaged|incomplete/i],
        ['too many pixels', await picture(90, 90).png().toBuffer(), 'me.png', 'small', 'max_pixels_exceeded', /8,?100.*1,?000/],
        ['too long a side', await picture(200, 2).png().toBuffer(), 'me.png', 'small', 'max_side_exceeded', /200.*100/],
      ] as const
      for (const [name, bytes, filename, profile, code, words] of cases) {
        const verdict = await verdictOn(bytes, filename, profile)
        assert.deepEqual([verdict.state, verdict.code], ['quarantined', code], name)
        assert.match(verdict.message ?? '', words, name)
      }
    })

    it('gets the same verdict by every way in', async () => {
      const gif = await picture(4, 4).gif().toBuffer()
      const put = await verdictOn(gif, 'me.png')
      const asset = await upload(stand.ctx, 'avatar', gif, { filename: 'me.png' })
      await stand.work()
      assert.deepEqual((await readAsset(stand.ctx, asset.id))?.error, { code: put.code, message: put.message })
    })

    it('is judged by name and bytes alone where nothing is decoded', async () => {
      assert.equal((await verdictOn(Buffer.from('straße\n'), 'note.txt', 'paper')).state, 'available')
      assert.equal((await verdictOn(Buffer.from([0x68, 0x00, 0x69]), 'note.txt', 'paper')).state, 'quarantined')
      assert.equal((await verdictOn(await picture(4, 4).png().toBuffer(), 'note.pdf', 'paper')).state, 'quarantined')
    })

    it('does not stop a good file: facts, variants and bytes are what they should be', async () => {
      const png = await picture(160, 90).png().toBuffer()
      const { assetId, state } = await verdictOn(png, 'Grüße aus Köln.png')
      assert.equal(state, 'ready')
      const asset = await readAsset(stand.ctx, assetId)
      assert.deepEqual([asset?.width, asset?.height, asset?.kind, asset?.filename], [160, 90, 'image', 'Grüße aus Köln.png'])
      assert.ok(asset?.placeholder && asset.dominantColor)
      const rows = await stand.database.query(
        `select v.name, v.width, v.height, o.key, encode(o.sha256, 'hex') as sha256 from rindle.media_variants v join rindle.media_objects o on o.id = v.object_id order by v.name`,
      )
      assert.deepEqual(
        rows.map(({ name, width, height }) => [name, width, height]),
        [
          ['large', 64, 36],
          ['thumb', 8, 5],
        ],
      )
      for (const { key, sha256 } of rows) {
        const bytes = readFileSync(join(folder, 'files', String(key)))
        assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256)
      }
      assert.deepEqual(
        (await stand.keys()).filter((key) => key.startsWith('staging/')),
        [],
      )
    })
  })
}
