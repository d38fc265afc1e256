import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { statSync, utimesSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { poster, video, waveform } from '../../src/core/av-recipes.ts'
import type { RindleEvent } from '../../src/core/events.ts'
import type { Jail, MadeVariant, Verdict, Visit } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { extensionOfRecipe, typeOfRecipe } from '../../src/core/variant-plan.ts'
import { readyVariantsFor } from '../../src/flows/assets/ready-variants-for.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { engines } from '../services/engines.ts'
import { createPlainJail } from './fixtures/plain-jail.ts'
import { openStand, type Stand } from './fixtures/uploads.ts'

/** Takes whatever the plain jail takes for a picture for a film of two seconds. */
const filmJail = (encoding: (visit: Visit) => Promise<void>): Jail => {
  const plain = createPlainJail()
  const film = {
    kind: 'video',
    contentType: 'video/mp4',
    extension: 'mp4',
    durationMs: 2_000,
    hasVideoTrack: true,
    hasAudioTrack: true,
  } as const
  const played = (visit: Visit, made: MadeVariant): MadeVariant => {
    const recipe = visit.variants.find(({ name }) => name === made.name)?.recipe
    if (!recipe || !made.ok) return made
    return { ...made, contentType: typeOfRecipe(recipe, false), extension: extensionOfRecipe(recipe, false) }
  }
  return {
    ...plain,
    report: async () => ({ walls: [], versions: {}, decodes: ['image/png', 'video/mp4'], missing: {} }),
    async visit(visit): Promise<Verdict> {
      if (visit.encoding) await encoding(visit)
      const verdict = await plain.visit(visit)
      if (verdict.verdict !== 'pass') return verdict
      const variants = verdict.variants.map((made) => played(visit, made))
      return { ...verdict, facts: { ...verdict.facts, ...film, frames: null }, variants }
    },
  }
}

for (const engine of engines) {
  describe(`the variants of a film while they are made, on ${engine.name}`, { skip: engine.skip }, () => {
    let stand: Stand
    let encoding: (visit: Visit) => Promise<void> = async () => {}
    let storing: (contentType: string) => Promise<void> = async () => {}
    before(async () => {
      stand = await openStand(engine, {
        jail: filmJail((visit) => encoding(visit)),
        wrap: (adapter) => ({
          ...adapter,
          put: async (...given) => {
            const [, , { contentType }] = given
            await storing(contentType)
            return adapter.put(...given)
          },
        }),
        profiles: (media) => ({
          // Of the plain jail each variant is as long as its name, and a few bytes.
          lesson: defineProfile({
            ...{ ...media, allowMime: ['video/mp4'], originals: { metadata: 'keep' } },
            variants: { poster: poster(), peaks: waveform(), web_720p: video() },
          }),
        }),
      })
    })
    after(() => stand.close())

    /** A film whose poster is there, and which waits to be encoded. */
    const waiting = async (): Promise<string> => {
      await stand.empty()
      const { assetId } = await stand.land(undefined, { filename: 'film.mp4' }, 'lesson')
      await promoteAsset(stand.ctx, assetId)
      assert.equal(await buildVariants(stand.ctx, assetId, { job: 'make_poster' }), 'built')
      return assetId
    }
    const encode = { job: 'transcode_asset' } as const

    it('are each served from when it is stored, what is small before what is large', async () => {
      const assetId = await waiting()
      const seen: string[] = []
      storing = async (contentType) => {
        const { asset, variants } = await stand.states(assetId)
        const ready = await readyVariantsFor(stand.ctx, assetId)
        seen.push(`${contentType}: ${String(asset)}, ${variants.join(', ')}, served ${ready.map(({ name }) => name).join(' and ')}`)
      }
      assert.equal(await buildVariants(stand.ctx, assetId, encode), 'built')
      storing = async () => {}
      assert.deepEqual(seen, [
        'application/json: transcoding, peaks processing, poster ready, web_720p processing, served poster',
        'video/mp4: transcoding, peaks ready, poster ready, web_720p processing, served peaks and poster',
      ])
      const { asset, variants, runs } = await stand.states(assetId)
      assert.deepEqual([asset, variants], ['ready', ['peaks ready', 'poster ready', 'web_720p ready']])
      assert.deepEqual(runs, ['promote_asset succeeded', 'make_poster succeeded', 'transcode_asset succeeded'])
    })

    it('find their folder again after an encode of hours, in which nothing is written there', async () => {
      const assetId = await waiting()
      encoding = async ({ folder }) => {
        utimesSync(folder, 0, 0)
        stand.clock.advance(stand.ctx.leaseSeconds / 3)
        for (const began = performance.now(); statSync(folder).mtimeMs === 0; await pause(20))
          assert.ok(performance.now() - began < 10_000, 'whoever clears leftovers away would have taken it for one')
      }
      assert.equal(await buildVariants(stand.ctx, assetId, encode), 'built')
      encoding = async () => {}
      assert.equal((await stand.states(assetId)).asset, 'ready')
    })

    it('say once a second how far they are, however often the encoder does', async () => {
      const assetId = await waiting()
      const isWritten = async (progress: number): Promise<void> => {
        const look = `select 1 from rindle.media_variants where name = 'web_720p' and progress >= $1`
        for (const began = performance.now(); (await stand.database.query(look, [progress])).length === 0; await pause(5))
          assert.ok(performance.now() - began < 10_000, `${progress} % are not written`)
      }
      await stand.database.query(`create table public.written (name text, progress int)`)
      await stand.database.query(
        `create function public.note() returns trigger language plpgsql security definer as $$ begin insert into public.written values (new.name, new.progress); return new; end $$`,
      )
      await stand.database.query(
        `create trigger note after update of progress on rindle.media_variants for each row when (new.state = 'processing' and new.progress > old.progress) execute function public.note()`,
      )
      const told: RindleEvent[] = []
      const hear = (event: unknown): void => void told.push(event as RindleEvent)
      subscribe('rindle:variant.progress', hear)
      // Five seconds, in which the encoder speaks eight times each.
      const [steps, perSecond] = [40, 8]
      encoding = async ({ onProgress }) => {
        for (let step = 1; step <= steps; step += 1) {
          onProgress?.(step / steps)
          if (step % perSecond === 1) await isWritten(Math.floor((step / steps) * 95))
          stand.clock.advance(1 / perSecond)
        }
      }
      try {
        assert.equal(await buildVariants(stand.ctx, assetId, encode), 'built')
      } finally {
        encoding = async () => {}
        unsubscribe('rindle:variant.progress', hear)
        await stand.database.query(`drop trigger note on rindle.media_variants`)
      }
      const written = await stand.database.query(`select name, progress from public.written order by name, progress`)
      const seconds = [2, 21, 40, 59, 78]
      assert.deepEqual(
        written.map(({ name, progress }) => `${String(name)} ${String(progress)}`),
        // The last is of what is still to be stored.
        ['peaks', 'web_720p'].flatMap((name) => [...seconds, 95].map((progress) => `${name} ${progress}`)),
      )
      assert.deepEqual(
        told.filter((event) => event.assetId === assetId).map(({ progress }) => progress),
        seconds.flatMap((progress) => [progress, progress]),
      )
    })
  })
}
