import { expectServed, expectState, film, ownerOf, passed, type Sent, stateOf, uploaded } from './people.ts'
import type { FilmKind } from './fake-films.ts'
import type { Scenario, World } from './scenario.ts'
import { askAgain, expectStopped, midway, stop } from './variants.ts'

const wishOf = (world: World, kind: FilmKind = 'plain') =>
  ({ profile: 'lesson', bytes: film(world, kind), filename: `${world.label}.mp4` }) as const

const lessonUploaded = (world: World, kind?: FilmKind): Promise<Sent> => uploaded(world, wishOf(world, kind))
const lessonPassed = (world: World, kind?: FilmKind): Promise<Sent> => passed(world, wishOf(world, kind))

const encoded = ['peaks', 'scrub_strip', 'web_720p'] as const
const all = ['peaks', 'poster', 'scrub_strip', 'web_720p'] as const

const readyOf = async (world: World, assetId: string): Promise<string> =>
  (await world.call(() => world.rindle.readyVariantsFor({ id: assetId })))
    .map(({ name }) => name)
    .toSorted()
    .join()

const expectMade = async (world: World, { asset, bytes }: Sent, names: readonly (typeof all)[number][] = all): Promise<void> => {
  const ready = await readyOf(world, asset.id)
  world.expect(ready === names.join(), `ready are ${ready}, not ${names.join()}`)
  for (const name of names) {
    const made = await world.fetch(await world.call(() => world.rindle.variantUrl({ id: asset.id }, name)))
    world.expect(made !== null && Buffer.from(made).toString('latin1').startsWith(`${name}:`), `${name} is not served`)
  }
  await expectServed(world, asset.id, bytes)
}

/** Everything that a browser loads of a page, or of a track in it. */
const expectLoads = async (world: World, text: string, addresses: RegExp): Promise<void> => {
  const found = [...text.matchAll(addresses)].map(([, address = '']) => address.replaceAll('&amp;', '&'))
  world.expect(found.length > 0, `no address is in ${text}`)
  for (const address of found) world.expect((await world.fetch(address)) !== null, `${address} leads nowhere`)
}

const inPage = /(?:src|poster)="([^"]+)"/g
const inTrack = /^(\S+)#xywh=/gm

const lesson: Scenario = {
  name: 'lesson',
  means: 'A film is uploaded: its poster comes first, then the film for browsers, its thumbnails and the peaks of its sound.',
  calls: ['initiateUpload', 'verifyCompletion', 'variantUrl', 'readyVariantsFor', 'asset', 'url'],
  async play(world) {
    const sent = await lessonUploaded(world, 'slow')
    await midway(world, sent.asset.id, 'video', async () => {
      if (!world.undisturbed) return
      await expectState(world, sent.asset.id, 'transcoding')
      await expectMade(world, sent, ['poster'])
    })
    await expectState(world, sent.asset.id, 'ready')
    const found = await world.call(() => world.rindle.asset(sent.asset.id))
    world.expect(found?.kind === 'video' && found.durationMs === 2_000, `a film of 2 s is ${found?.kind} of ${found?.durationMs} ms`)
    await expectMade(world, sent)
  },
}

const player: Scenario = {
  name: 'lesson-in-a-page',
  means:
    'A film is put into a page with a player: its files, its poster and its thumbnails all load, and it is heard without its pictures.',
  calls: ['videoTag', 'audioTag', 'stripTrack', 'stripTrackUrl', 'attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const { asset } = await lessonPassed(world)
    await world.call(() => rindle.attach(asset.id, ownerOf(world), 'lesson'))
    const attachment = await world.call(() => rindle.attachmentFor(ownerOf(world), 'lesson'))
    const html = await world.call(() => rindle.videoTag(attachment))
    for (const part of ['<video controls', 'poster="', 'type="video/mp4"', '<track kind="metadata" label="thumbnails"'])
      world.expect(html.includes(part), `the player has no ${part}: ${html}`)
    await expectLoads(world, html, inPage)
    const heard = await world.call(() => rindle.audioTag(asset))
    world.expect(heard.startsWith('<audio controls'), `a film is heard as ${heard}`)
    await expectLoads(world, heard, inPage)
    const track = await world.call(() => rindle.stripTrack(asset))
    await expectLoads(world, track ?? '', inTrack)
    const address = await world.call(() => rindle.stripTrackUrl(asset))
    world.expect(address !== null && (await world.fetch(address)) !== null, `the thumbnails at ${address} do not load`)
  },
}

const stopped: Scenario = {
  name: 'lesson-stopped',
  means: 'A film is stopped in the middle of its encode: its poster and itself are served, and asked for again it is encoded after all.',
  calls: ['cancelProcessing', 'requeueVariants', 'url'],
  async play(world) {
    const sent = await lessonUploaded(world, 'slow')
    const { asset } = sent
    let names: readonly string[] = []
    await midway(world, asset.id, 'video', async () => (names = await stop(world, asset.id)))
    await expectStopped(world, asset.id, names, encoded.join())
    if (world.undisturbed) await expectMade(world, sent, ['poster'])
    await world.call(() => world.rindle.requeueVariants(asset.id, { variants: ['web_720p'], actor: 'olga' }))
    await world.settle()
    if (world.undisturbed) await expectMade(world, sent, ['poster', 'web_720p'])
    await askAgain(world, asset.id)
    await expectMade(world, sent)
  },
}

const broken: Scenario = {
  name: 'lesson-broken',
  means:
    'A film passes the gate and breaks in its encode: it is said in words, its poster and itself are served, and it is not tried for ever.',
  calls: ['asset', 'requeueVariants', 'readyVariantsFor'],
  async play(world) {
    const sent = await lessonPassed(world, 'broken')
    const { asset } = sent
    const expectBroken = async (): Promise<void> => {
      await expectState(world, asset.id, 'degraded')
      const columns = ['name', 'state', 'error_code', 'error_detail'] as const
      const rows = await world.call(() =>
        world.ctx.db.pool.selectFrom('rindle.media_variants').select(columns).where('asset_id', '=', asset.id).execute(),
      )
      for (const row of rows.filter(({ name }) => name !== 'poster')) {
        const said = `${row.state} ${row.error_code} ${row.error_detail}`
        world.expect(/^failed source_broken .*damaged after about 1 s/.test(said), `${row.name} of a film that breaks is ${said}`)
      }
      await expectMade(world, sent, ['poster'])
    }
    await expectBroken()
    await world.call(() => world.rindle.requeueVariants(asset.id))
    await world.settle()
    await expectBroken()
  },
}

const purged: Scenario = {
  name: 'lesson-purged',
  means: 'A film is purged while it is encoded: the encode ends, and nothing of it stays.',
  calls: ['purge', 'asset'],
  async play(world) {
    const { asset } = await lessonUploaded(world, 'slow')
    await midway(world, asset.id, 'video', () => world.call(() => world.rindle.purge(asset.id)).catch(orGone(world)))
    await world.settle()
    const state = await stateOf(world, asset.id)
    world.expect(state === 'gone', `a purged film is ${state}`)
  },
}

/** The answer of the call that purged it was lost. */
const orGone =
  ({ undisturbed }: World) =>
  (err: unknown): void => {
    if (undisturbed) throw err
  }

const replaced: Scenario = {
  name: 'lesson-replaced',
  means: 'A film replaces another in its slot, and is itself replaced while it is encoded: the last one is shown, the others go.',
  calls: ['attach', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const [first, last] = [await lessonPassed(world), await lessonPassed(world)]
    await world.call(() => rindle.attach(first.asset.id, owner, 'lesson'))
    const second = await lessonUploaded(world, 'slow')
    await world.call(() => rindle.attach(second.asset.id, owner, 'lesson'))
    await midway(world, second.asset.id, 'video', () => world.call(() => rindle.attach(last.asset.id, owner, 'lesson')))
    await world.settle()
    const shown = await world.call(() => rindle.attachmentFor(owner, 'lesson'))
    world.expect(shown?.asset.id === last.asset.id, `the slot shows ${shown?.asset.id ?? 'nothing'}, not ${last.asset.id}`)
    for (const { asset } of [first, second]) {
      const state = await stateOf(world, asset.id)
      world.expect(state === 'gone', `nothing holds the film any more, and it is ${state}`)
    }
    await expectMade(world, last)
  },
}

export const films: readonly Scenario[] = [lesson, player, stopped, broken, purged, replaced]
