import { anew, bring, film, ownerOf, picture, uploaded } from '../scenarios/people.ts'
import type { Bytes, Scenario } from '../scenarios/scenario.ts'
import { midway } from '../scenarios/variants.ts'
import type { Canaries } from './canaries.ts'

/** People who put secrets wherever they can, and what they have to say that is nobody else's business. */
export const confiding = (canaries: Canaries): Scenario => ({
  name: 'confiding',
  means: 'Files hold secrets, their names and captions are private, and who asks for an address shows a token.',
  calls: ['url', 'attach', 'upload'],
  play: (world) =>
    anew(world, async () => {
      const { rindle } = world
      const secretText = canaries.plant('the bytes of a document')
      const paper = new TextEncoder().encode(`${secretText}\n`)
      const filename = `${canaries.plant('a file name', 'told')}.txt`
      const actor = () => ({ token: canaries.plant('a token of who asks') })
      const asset = await world.call(() => rindle.upload('paper', paper, { filename, owner: ownerOf(world) }))
      await world.call(() =>
        rindle.attach(asset.id, ownerOf(world), 'paper', {
          alt: canaries.plant('an alternative text', 'told'),
          caption: canaries.plant('a caption', 'told'),
        }),
      )
      await world.settle()
      await world.call(() => rindle.url(asset.id, { actor: actor() }))
      await world.refused(['asset_not_found'], () => rindle.url(nobody, { actor: actor() }))
      const bytes = picture(world)
      const wish = {
        ...{ filename: `${canaries.plant('a file name', 'told')}.png`, byteSize: bytes.byteLength, owner: ownerOf(world) },
        idempotencyKey: canaries.plant('an idempotency key', 'told'),
      }
      const { id } = await world.call(() => rindle.initiateUpload('guarded', wish))
      await world.refused(['idempotency_key_reused'], () => rindle.initiateUpload('guarded', { ...wish, byteSize: 77 }))
      await world.refused(['upload_extension_not_allowed'], () =>
        rindle.initiateUpload('guarded', { filename: `${canaries.plant('a file name', 'told')}.exe`, byteSize: 9 }),
      )
      await bring(world, async () => (await rindle.signUpload(id)).presigned, bytes)
      const sent = await world.call(() => rindle.verifyCompletion(id))
      await world.settle()
      await world.call(() => rindle.url(sent.asset.id, { actor: actor() }))
      await world.refused(['not_authorized'], () => rindle.url(sent.asset.id, { actor: { ...actor(), stranger: true } }))
      const fails = () => rindle.url(sent.asset.id, { actor: { ...actor(), broken: true } })
      await fails().then(
        () => world.expect(false, 'an authorizer that throws let somebody in'),
        () => undefined,
      )
    }),
})

const nobody = '01a20000-0000-7000-8000-000000000000'

/** People whose films say more than they should, and who say in the history alone who they are and what for. */
export const filming = (canaries: Canaries): Scenario => ({
  name: 'confiding-a-film',
  means:
    'A film holds a secret and has a private name; it is stopped and asked for again by somebody who says who and why; its thumbnails have a ticket.',
  calls: ['cancelProcessing', 'requeueVariants', 'stripTrackUrl', 'videoTag'],
  async play(world) {
    const { rindle } = world
    const by = (what: string) => ({
      actor: canaries.plant(`who ${what} a film`, 'recorded'),
      reason: canaries.plant(`why somebody ${what} a film`, 'recorded'),
    })
    const actor = () => ({ token: canaries.plant('a token of who asks for a film') })
    const title = new TextEncoder().encode(canaries.plant('the title in a film'))
    const bytes: Bytes = new Uint8Array([...film(world, 'slow'), ...title])
    const filename = `${canaries.plant('the file name of a film', 'told')}.mp4`
    const { asset } = await uploaded(world, { profile: 'lesson', filename, bytes, owner: ownerOf(world) })
    await world.refused(['state_conflict', 'not_processing'], () => rindle.cancelProcessing(asset.id, by('stops too early')))
    await midway(world, asset.id, 'video', () => world.call(() => rindle.cancelProcessing(asset.id, by('stops'))))
    await world.refused(['not_processing'], () => rindle.cancelProcessing(asset.id, by('stops once more')))
    await world.refused(['asset_not_found'], () => rindle.cancelProcessing(nobody, by('stops no film')))
    await world.refused(['asset_not_found'], () => rindle.requeueVariants(nobody, by('asks for no film')))
    const unknown = { variants: ['nothing' as 'peaks'], ...by('asks for too much') }
    await world.refused(['variant_unknown'], () => rindle.requeueVariants(asset.id, unknown))
    // The film for browsers stays as it was left: what was noted at it is still there when rows are read.
    await world.call(() => rindle.requeueVariants(asset.id, { variants: ['peaks', 'scrub_strip'], ...by('asks for') }))
    await world.settle()
    const url = await world.call(() => rindle.stripTrackUrl(asset.id, { actor: actor() }))
    world.expect(url !== null, 'there is no address of its thumbnails')
    if (url !== null) {
      canaries.add('a ticket of a track', url.slice(url.lastIndexOf('/') + 1))
      await world.fetch(url)
      await world.fetch(`${url.slice(0, -4)}AAAA`)
    }
    await world.call(() => rindle.videoTag(asset, { actor: actor() }))
  },
})
