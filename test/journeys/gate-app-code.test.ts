import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import { RindleError } from '../../src/core/errors.ts'
import { image } from '../../src/core/image-recipe.ts'
import type { Analyzer } from '../../src/core/ports/analyzer.ts'
import type { FileUnderGate } from '../../src/core/ports/file-under-gate.ts'
import type { Processor } from '../../src/core/ports/processor.ts'
import type { Scanner } from '../../src/core/ports/scanner.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { asset as readAsset } from '../../src/flows/assets/asset.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { killedDecoder, plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

for (const engine of engines) {
  describe(`the app's own code at the gate on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let scan: Scanner['scan'] = async () => ({ clean: true })
    let second: Scanner['scan'] = async () => ({ clean: true })
    let analyze: Analyzer['analyze'] = async () => ({})
    let make: Processor['process'] = ({ destination }) => writeFile(destination, plainPicture(20))
    const scanners: Scanner[] = [
      { name: 'first', timeoutSeconds: 20, scan: (file) => scan(file) },
      { name: 'second', scan: (file) => second(file) },
    ]
    const analyzer: Analyzer = { name: 'eyes', timeoutSeconds: 20, analyze: (file) => analyze(file) }
    const processor: Processor = { name: 'hands', timeoutSeconds: 20, process: (job) => make(job) }
    before(async () => {
      stand = await openStand(engine, {
        maxBytes: 1_000_000,
        profiles: (media) => ({
          scanned: defineProfile({ ...media, scanners, variants: { thumb: image({ width: 8 }) } }),
          analyzed: defineProfile({ ...media, analyzer }),
          processed: defineProfile({ ...media, processor, variants: { thumb: image({ width: 8 }), large: image({ width: 64 }) } }),
          scroll: defineProfile({ ...media, kind: 'file', allowMime: ['image/png'], scanners, analyzer }),
        }),
      })
    })
    afterEach(async () => {
      scan = second = async () => ({ clean: true })
      analyze = async () => ({})
      make = ({ destination }) => writeFile(destination, plainPicture(20))
      await stand.empty()
    })
    after(() => stand.close())

    const stateOf = async (assetId: string) => (await stand.states(assetId)).asset
    const errorOf = async (assetId: string) => (await readAsset(stand.ctx, assetId))?.error
    const faults = () => stand.logged.filter(({ level }) => level === 'warn').map(({ fields }) => fields as Record<string, unknown>)
    const land = async (profile: string, bytes = plainPicture()) => (await stand.land(bytes, {}, profile)).assetId
    const clean = async () => {
      await stand.pass(9_000)
      await stand.assertLedger()
    }

    it('sees the very bytes that are served, after the decoder and before anybody else', async () => {
      stand.jail.rewrite = (bytes) => ({ bytes: bytes.subarray(0, 40), changed: null })
      const seen: Record<string, unknown>[] = []
      scan = async (file) => {
        assert.equal(stand.jail.visits.length, 1)
        const streamed = [await new Response(file.stream()).bytes(), await new Response(file.stream()).bytes()]
        const { path, stream, signal, assetId, ...facts } = file
        seen.push({ ...facts, read: sha256(await readFile(path)), streamed: streamed.map(sha256), aborted: signal.aborted })
        return { clean: true }
      }
      const assetId = await land('scanned')
      await stand.work()
      const hash = sha256(plainPicture().subarray(0, 40))
      assert.deepEqual(seen, [
        {
          ...{ profile: 'scanned', filename: 'me.png', contentType: 'image/png', kind: 'image', width: 3, height: 2, byteSize: 40 },
          ...{ sha256: hash, read: hash, streamed: [hash, hash], aborted: false },
        },
      ])
      assert.equal(await stateOf(assetId), 'ready')
      await clean()
    })

    it('holds a file back in which a scanner finds something, as it came, and asks no other', async () => {
      stand.jail.rewrite = (bytes) => ({ bytes: bytes.subarray(0, 40), changed: null })
      let others = 0
      scan = async () => ({ clean: false, threat: 'Eicar\u0000-\nTest' })
      second = async () => {
        others += 1
        return { clean: true }
      }
      const assetId = await land('scanned')
      await stand.work()
      assert.deepEqual(await errorOf(assetId), {
        code: 'malware_found',
        message: 'The scanner first found Eicar - Test in this file; it is held back.',
      })
      const { asset, objects, runs } = await stand.states(assetId)
      assert.deepEqual(
        [asset, objects, runs, others],
        ['quarantined', ['original present', 'staging watched'], ['promote_asset succeeded malware_found'], 0],
      )
      assert.equal((await readAsset(stand.ctx, assetId))?.byteSize, 64)
      await stand.assertLedger()
    })

    it('holds a file back that is too large for a scanner, as a verdict', async () => {
      scan = async () => {
        throw new RindleError('scan_limit_exceeded', { scanner: 'another', maxBytes: 10 })
      }
      const assetId = await land('scanned')
      await stand.work()
      assert.deepEqual(await errorOf(assetId), {
        code: 'scan_limit_exceeded',
        message: 'The scanner first cannot look through a file this large (more than 10 bytes); it is held back.',
      })
    })

    for (const [how, answer, problem] of [
      ['throws', () => Promise.reject(new TypeError('refused\nfor now')), 'refused for now'],
      [
        'throws at once',
        () => {
          throw new TypeError('no')
        },
        'no',
      ],
      [
        'says itself that it cannot be reached',
        () => Promise.reject(new RindleError('scanner_unavailable', { scanner: 'first', problem: 'it cannot be reached, ECONNREFUSED' })),
        'it cannot be reached, ECONNREFUSED',
      ],
      ['says nothing', async () => JSON.parse('null'), 'it said neither that the file is clean nor what it found'],
      ['says something else', async () => JSON.parse('{"clean":"yes"}'), 'it said neither that the file is clean nor what it found'],
      [
        'finds nothing it could name',
        async () => JSON.parse('{"clean":false}'),
        'it said neither that the file is clean nor what it found',
      ],
    ] as const)
      it(`waits, and never passes, when a scanner ${how}`, async () => {
        scan = answer
        const assetId = await land('scanned')
        for (const [round, wait] of [0, 10, 20].entries()) {
          stand.clock.advance(wait)
          assert.equal(await promoteAsset(stand.ctx, assetId), 'later')
          assert.equal(await stateOf(assetId), 'validating')
          assert.equal(faults().length, round + 1)
        }
        const [first] = faults()
        assert.deepEqual([first?.['asset'], first?.['code'], first?.['faults']], [assetId, 'scanner_unavailable', 1])
        assert.notEqual(((first?.['err'] as Error).cause as { code?: string } | undefined)?.code, 'scanner_unavailable')
        assert.equal((first?.['err'] as Error).message, `The scanner first did not answer (${problem}); the file waits until it does.`)
        for (const later of faults().slice(1)) assert.deepEqual([later['err'], later['problem']], [undefined, problem])
        assert.equal(await errorOf(assetId), null)
        scan = async () => ({ clean: true })
        await stand.pass(120)
        assert.equal(await stateOf(assetId), 'ready')
        await clean()
      })

    it('waits no longer for a scanner than it may take, and tells it to stop', async () => {
      let given: FileUnderGate | null = null
      const asked = Promise.withResolvers<void>()
      scan = (file) => {
        given = file
        asked.resolve()
        return new Promise(() => {})
      }
      const assetId = await land('scanned')
      const done = promoteAsset(stand.ctx, assetId)
      await asked.promise
      const file = given as unknown as FileUnderGate
      const reader = file.stream().getReader()
      await reader.read()
      for (let second = 0; second < 19; second++) {
        stand.clock.advance(1)
        await new Promise(setImmediate)
      }
      assert.equal(file.signal.aborted, false)
      stand.clock.advance(1)
      assert.equal(await done, 'later')
      assert.ok(file.signal.aborted)
      assert.ok(!existsSync(file.path))
      await assert.rejects(file.stream().getReader().read())
      const [first] = faults()
      assert.match((first?.['err'] as Error).message, /no answer within 20 s/)
      scan = async () => ({ clean: true })
      await stand.pass(60)
      assert.equal(await stateOf(assetId), 'ready')
      await clean()
    })

    it('is told to stop with its worker, and that is no fault', async () => {
      const asked = Promise.withResolvers<AbortSignal>()
      scan = ({ signal }) => {
        asked.resolve(signal)
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      const assetId = await land('scanned')
      const stop = new AbortController()
      const done = promoteAsset(stand.ctx, assetId, { signal: stop.signal })
      const signal = await asked.promise
      stop.abort()
      assert.equal(await done, 'later')
      assert.ok(signal.aborted)
      assert.deepEqual((await stand.states(assetId)).runs, ['promote_asset failed worker_stopped'])
      assert.deepEqual(faults(), [])
    })

    it('keeps what an analyzer found out, plain and clean', async () => {
      analyze = async () => JSON.parse('{"faces":2,"text":"a\\u0000b","__proto__":{"x":1},"at":{"deep":[1,2]}}')
      const assetId = await land('analyzed')
      await stand.work()
      const asset = await readAsset(stand.ctx, assetId)
      assert.equal(asset?.state, 'available')
      assert.deepEqual(asset?.metadata, {
        frames: 1,
        hasAlpha: false,
        analysis: { faces: 2, text: 'a\ufffdb', at: { deep: [1, 2] } },
      })
    })

    for (const [what, answer, problem] of [
      ['throws', () => Promise.reject(new TypeError('blind')), /\(blind\)/],
      ['returns too much', async () => ({ much: 'x'.repeat(17_000) }), /larger than 16384 bytes/],
      ['returns a list', async () => JSON.parse('[1]'), /no object/],
      ['returns nothing', async () => JSON.parse('null'), /no object/],
    ] as const)
      it(`takes a file up again later when an analyzer ${what}`, async () => {
        analyze = answer
        const assetId = await land('analyzed')
        assert.equal(await promoteAsset(stand.ctx, assetId), 'later')
        assert.equal(await stateOf(assetId), 'validating')
        const [first] = faults()
        assert.equal(first?.['code'], 'app_code_failed')
        assert.match((first?.['err'] as Error).message, problem)
        analyze = async () => ({ fine: true })
        await stand.pass(60)
        assert.equal(await stateOf(assetId), 'available')
        await clean()
      })

    it('has files that are not decoded on the disk as a whole', async () => {
      const bytes = plainPicture(700_000)
      const sizes: number[] = []
      scan = async ({ path, byteSize }) => {
        sizes.push(readFileSync(path).byteLength, byteSize)
        return { clean: true }
      }
      analyze = async ({ sha256: hash, width }) => ({ hash, width })
      const assetId = await land('scroll', bytes)
      await stand.work()
      const asset = await readAsset(stand.ctx, assetId)
      assert.deepEqual([asset?.state, sizes], ['available', [700_000, 700_000]])
      assert.deepEqual((asset?.metadata['analysis'] as Record<string, unknown>)['hash'], sha256(bytes))
      assert.equal(stand.jail.visits[0]?.excerpt, undefined)
    })

    it('makes the variants itself, each measured in the jail, at the gate and later', async () => {
      const jobs: string[] = []
      make = async ({ file, variant, recipe, destination }) => {
        jobs.push(`${variant} ${recipe.kind === 'image' ? recipe.width : null} ${file.contentType} ${file.width}x${file.height}`)
        assert.ok(!existsSync(destination))
        await writeFile(destination, plainPicture(variant === 'thumb' ? 20 : 30))
      }
      const assetId = await land('processed')
      await stand.work()
      assert.equal(await stateOf(assetId), 'ready')
      assert.deepEqual(jobs, ['large 64 image/png 3x2', 'thumb 8 image/png 3x2'])
      assert.deepEqual(
        stand.jail.visits.map(({ purpose, variants }) => `${purpose} ${variants.length}`),
        ['gate 0', 'measure 0', 'measure 0'],
      )
      const rows = () =>
        stand.database.query(
          `select v.name, v.byte_size::int as size, v.width, v.height, v.content_type as type, encode(o.sha256, 'hex') as sha256
             from rindle.media_variants v join rindle.media_objects o on o.id = v.object_id order by v.name`,
        )
      const row = (name: string, length: number) => ({
        ...{ name, size: length, width: 3, height: 2, type: 'image/png', sha256: sha256(plainPicture(length)) },
      })
      assert.deepEqual(await rows(), [row('large', 30), row('thumb', 20)])

      make = ({ destination }) => writeFile(destination, plainPicture(25))
      await stand.database.query(`update rindle.media_variants set state = 'queued', due_at = now() where name = 'thumb'`)
      assert.equal(await buildVariants(stand.ctx, assetId), 'built')
      assert.deepEqual(await rows(), [row('large', 30), row('thumb', 25)])
      await clean()
      assert.equal((await stand.keys()).length, 3)
    })

    for (const [what, making] of [
      [
        'says that it cannot be made',
        async () => {
          throw new RindleError('variant_failed', { variant: 'thumb' })
        },
      ],
      ['makes what is no picture', (job) => writeFile(job.destination, 'plain text')],
      [
        'makes what kills the decoder',
        async (job) => {
          await writeFile(job.destination, plainPicture())
          stand.jail.before = ({ purpose }) => {
            if (purpose === 'measure') throw killedDecoder()
          }
        },
      ],
    ] as readonly (readonly [string, Processor['process']])[])
      it(`fails the variant alone when a processor ${what}`, async () => {
        make = (job) => (job.variant === 'thumb' ? making(job) : writeFile(job.destination, plainPicture()))
        const assetId = await land('processed')
        await stand.work()
        const { asset, variants } = await stand.states(assetId)
        assert.deepEqual([asset, variants], ['degraded', ['large ready', 'thumb failed']])
        assert.equal((await stand.one(`select error_code from rindle.media_variants where name = 'thumb'`))['error_code'], 'variant_failed')
        await stand.assertLedger()
      })

    it('looks again at what a processor made when the decoder died over it once', async () => {
      let deaths = 0
      make = ({ destination }) => writeFile(destination, plainPicture())
      stand.jail.before = ({ purpose, filename }) => {
        if (purpose === 'measure' && filename === 'thumb' && (deaths += 1) === 1) throw killedDecoder()
      }
      const assetId = await land('processed')
      await stand.work()
      const { asset, variants } = await stand.states(assetId)
      assert.deepEqual([asset, variants, deaths], ['ready', ['large ready', 'thumb ready'], 2])
    })

    for (const [what, making, problem] of [
      ['throws', () => Promise.reject(new TypeError('clumsy')), /\(clumsy\)/],
      ['writes nothing', async () => {}, /wrote no variant large/],
      ['writes a link', (job) => symlink('/etc/hostname', job.destination), /no plain file/],
    ] as readonly (readonly [string, Processor['process'], RegExp])[])
      it(`takes a file up again later when a processor ${what}, at the gate and in a build`, async () => {
        const well = make
        make = making
        const assetId = await land('processed')
        assert.equal(await promoteAsset(stand.ctx, assetId), 'later')
        assert.equal(await stateOf(assetId), 'validating')
        assert.equal(faults()[0]?.['code'], 'app_code_failed')
        assert.match((faults()[0]?.['err'] as Error).message, problem)
        make = well
        await stand.pass(60)
        assert.equal(await stateOf(assetId), 'ready')

        make = making
        await stand.database.query(`update rindle.media_variants set state = 'queued', due_at = now() where name = 'large'`)
        assert.equal(await buildVariants(stand.ctx, assetId), 'later')
        assert.deepEqual((await stand.states(assetId)).variants, ['large queued', 'thumb ready'])
        make = well
        await stand.pass(120)
        assert.equal(await stateOf(assetId), 'ready')
        await clean()
      })
  })
}
