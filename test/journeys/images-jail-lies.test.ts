import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/core/errors.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { engines } from '../services/engines.ts'
import { hostileArguments } from './fixtures/hostile-decoder.ts'
import { plainPicture } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'
import { openPlace, quarters } from './fixtures/visits.ts'

/** Copies what came, writes over two places of it, and tells of those that `told` names. */
const rewriting = (told: string): string => `(visit) => {
  const path = visit.folder + '/original.png'
  fs.copyFileSync(visit.path, path)
  const file = fs.openSync(path, 'r+')
  fs.writeSync(file, 'HERE', 40000000)
  fs.writeSync(file, 'EVIL', 50000000)
  fs.closeSync(file)
  const byteSize = fs.statSync(path).size
  const changed = [[40000000, 40000004], [50000000, 50000004]].map(([start, end]) => ({ start, end })).filter(${told})
  say({ ...pass, passed: { ...pass.passed, rewritten: { path, byteSize, changed } } })
}`

for (const engine of engines.filter(({ concurrent }) => !concurrent))
  describe(`a decoder that says of ranges that they are as they came, on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    before(async () => void (stand = await openStand(engine, { maxBytes: 100_000_000 })))
    afterEach(() => stand.empty())
    after(() => stand.close())

    const promoteWith = async (
      onVisit: string,
    ): Promise<Record<string, unknown> & { readonly runs: string[]; readonly objects: string[] }> => {
      const place = await openPlace({ nodeArguments: hostileArguments(onVisit) })
      const { assetId } = await stand.land(plainPicture(65 * 1024 * 1024))
      const said: string[] = []
      for (let attempt = 0; attempt < 2 && said.at(-1) !== 'done'; attempt++) {
        said.push(await promoteAsset({ ...stand.ctx, jail: place.jail }, assetId))
        stand.clock.advance(600)
      }
      await place.close()
      const { asset, objects, runs } = await stand.states(assetId)
      const row = await stand.one(
        `select a.error_code as code, encode(o.sha256, 'hex') as sha256 from rindle.media_assets a
           left join rindle.media_objects o on o.id = a.object_id and o.state = 'present' where a.id = $1`,
        assetId,
      )
      return { asset, ...row, objects, runs }
    }

    it('is believed where it is true: only they are sent', async () => {
      const { asset, sha256, runs } = await promoteWith(rewriting('() => true'))
      const clean = Buffer.from(plainPicture(65 * 1024 * 1024))
      clean.write('HERE', 40_000_000)
      clean.write('EVIL', 50_000_000)
      assert.deepEqual([asset, runs.length], ['degraded', 1], 'without its variants, which it did not make')
      assert.equal(sha256, createHash('sha256').update(clean).digest('hex'))
    })

    it('ends as one that died when it is not: nothing of it is served, and the second time the file is held back', async () => {
      const { asset, code, sha256, runs, objects } = await promoteWith(rewriting('({ start }) => start === 40000000'))
      assert.deepEqual([asset, code], ['quarantined', 'decoder_killed'])
      assert.equal(
        sha256,
        createHash('sha256')
          .update(plainPicture(65 * 1024 * 1024))
          .digest('hex'),
        'what came is kept to be looked into',
      )
      assert.deepEqual(runs, ['promote_asset failed decoder_killed', 'promote_asset succeeded decoder_killed'])
      assert.deepEqual(
        objects.filter((one) => !one.endsWith('doomed')),
        ['original present'],
      )
    })
  })

describe('a decoder that says what it lacks', () => {
  let folder: string
  let picture: Buffer
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-lies-'))
    picture = await quarters(4, 4)
  })
  after(() => rm(folder, { recursive: true }))
  /** Without a sandbox, so that what each visit says can be counted: its number within its decoder, a line each. */
  const counting = async (name: string, onVisit: string) => {
    const path = join(folder, name)
    const place = await openPlace({
      bubblewrap: null,
      nodeArguments: hostileArguments(`(visit, count) => { fs.appendFileSync('${path}', count + '\\n'); ${onVisit} }`),
    })
    return { place, counts: async () => (await readFile(path, 'utf8')).trim().split('\n') }
  }
  const tooLarge = (neededBytes: string): string =>
    `say({ kind: 'failure', code: 'decode_too_large', details: { neededBytes: ${neededBytes}, maxDecodeBytes: ${neededBytes} }, residentBytes: 1 })`

  it('is asked once more as a fresh one when a used one was short of memory and does not say of how much', async () => {
    const { place, counts } = await counting('used', `count === 1 ? say(pass) : ${tooLarge('null')}`)
    for (let visit = 0; visit < 3; visit++) assert.equal((await place.visit(picture, 'a.png')).verdict, 'pass')
    assert.deepEqual(await counts(), ['1', '2', '1', '2', '1'])
    await place.close()
  })

  it('is believed when it is fresh itself, or says how much it takes', async () => {
    const codeOf = async (visit: ReturnType<typeof place.visit>): Promise<string> => {
      const verdict = await visit
      return verdict.verdict === 'pass' ? 'pass' : verdict.code
    }
    const { place, counts } = await counting('fresh', tooLarge('null'))
    assert.equal(await codeOf(place.visit(picture, 'a.png')), 'decode_too_large')
    assert.deepEqual(await counts(), ['1'])
    assert.equal(await codeOf(place.visit(picture, 'a.png')), 'decode_too_large')
    assert.deepEqual(await counts(), ['1', '2', '1'])
    await place.close()
    const figured = await counting('figured', `count === 1 ? say(pass) : ${tooLarge('5')}`)
    assert.equal(await codeOf(figured.place.visit(picture, 'a.png')), 'pass')
    assert.equal(await codeOf(figured.place.visit(picture, 'a.png')), 'decode_too_large')
    assert.deepEqual(await figured.counts(), ['1', '2'])
    await figured.place.close()
  })

  it('is asked again for a report whose making went wrong, and not again for one that was made', async () => {
    const well = join(folder, 'well')
    const { place, counts } = await counting('reports', `fs.existsSync('${well}') ? say(pass) : process.abort()`)
    const ask = () => place.jail.report(['image/png'])
    for (let asking = 0; asking < 2; asking++) await assert.rejects(ask(), (err) => isRindleError(err) && err.code === 'decoder_killed')
    assert.equal(existsSync(well), false)
    assert.equal((await counts()).length, 2)
    await writeFile(well, '')
    assert.deepEqual((await ask()).decodes, ['image/png'])
    assert.equal((await counts()).length, 3)
    assert.deepEqual((await ask()).decodes, ['image/png'])
    assert.equal((await counts()).length, 3)
    await place.close()
  })
})
