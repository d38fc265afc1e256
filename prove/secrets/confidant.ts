import { anew, bring, ownerOf, picture } from '../scenarios/people.ts'
import type { Scenario } from '../scenarios/scenario.ts'
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
      await world.refused(['asset_not_found'], () => rindle.url('01a20000-0000-7000-8000-000000000000', { actor: actor() }))
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
