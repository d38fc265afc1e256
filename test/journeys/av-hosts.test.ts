import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { local } from '../../src/adapters/storage/local.ts'
import { contextOf } from '../../src/context.ts'
import { poster, video } from '../../src/core/av-recipes.ts'
import { messageOf } from '../../src/core/errors.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createRindle } from '../../src/rindle.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { openStudio, testPicture, testSound } from './fixtures/av-files.ts'
import { origin } from './fixtures/house.ts'

for (const engine of engines) {
  describe(`a host on which nothing can be encoded, on ${engine.name}`, { skip: engine.skip }, () => {
    let folder: string
    let database: EngineDatabase
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'rindle-av-hosts-'))
      database = await engine.open()
    })
    after(async () => {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    })

    it('is told so in words before the film is fetched, makes the poster all the same, and leaves the rest to another', async () => {
      const storage = local({ directory: folder })
      let fetched = 0
      const counted = { ...storage, read: (...given: Parameters<typeof storage.read>) => ((fetched += 1), storage.read(...given)) }
      const said: Readonly<Record<string, unknown>>[] = []
      const say = (fields: object): void => void said.push({ ...fields })
      await using rindle = createRindle({
        ...{ database: database.given, baseUrl: `${origin}/media`, secrets: ['a secret of the journeys, thirty-two bytes and more'] },
        logger: { debug: say, info: say, warn: say, error: say },
        profiles: {
          lesson: defineProfile({
            ...{ storage: counted, maxBytes: 50_000_000, allowMime: ['video/mp4'], originals: { metadata: 'keep' } },
            variants: { poster: poster(), web: video({ width: 160, height: 120 }) },
          }),
        },
      })
      await rindle.ready()
      const ctx = contextOf(rindle)
      const studio = await openStudio()
      const film = await studio.make('film.mp4', ...testPicture, ...testSound, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-c:a', 'aac')
      await studio.close()
      const { id } = await rindle.upload('lesson', film, { filename: 'film.mp4' })
      await promoteAsset(ctx, id)
      const [short, small] = [
        { ...ctx, host: { ...ctx.host, ephemeral: 'AWS Lambda' } },
        // The film itself would find room, and nothing that is made of it.
        { ...ctx, host: { ...ctx.host, freeBytes: () => 65 * 1024 * 1024 + film.byteLength } },
      ]
      assert.equal(await buildVariants(short, id, { job: 'make_poster' }), 'built')

      fetched = 0
      const encode = { job: 'transcode_asset' } as const
      assert.equal(await buildVariants(short, id, encode), 'later')
      assert.equal(await buildVariants(small, id, encode), 'later')
      assert.equal(fetched, 0)
      const faults = said
        .filter(({ event }) => event === 'variants_fault')
        .map(({ code, err }) => [code, err instanceof Error && err.message])
      assert.equal(faults.length, 2)
      assert.deepEqual(faults[0], ['host_ephemeral', messageOf('host_ephemeral', { host: 'AWS Lambda' })])
      assert.equal(faults[1]?.[0], 'insufficient_disk_headroom')
      assert.match(String(faults[0]?.[1]), /npx rindle work/)
      const waiting = await database.query('select name, state from rindle.media_variants order by name')
      assert.deepEqual(
        waiting.map(({ name, state }) => `${String(name)} ${String(state)}`),
        ['poster ready', 'web queued'],
      )

      assert.equal(await buildVariants(ctx, id, encode), 'built')
      assert.ok(fetched > 0)
      assert.equal((await rindle.asset(id))?.state, 'ready')
    })
  })
}
