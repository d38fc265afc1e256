import { isRindleError } from '../../src/core/errors.ts'
import { anew, expectServed, ownerOf, passed, uploaded } from './people.ts'
import type { Scenario, World } from './scenario.ts'

const tags: Scenario = {
  name: 'picture-tag',
  means: 'A picture in a slot is drawn as HTML with its variants, each at an address that leads there.',
  calls: ['pictureTag', 'readyVariantsFor', 'attachmentFor'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world)
    await world.call(() => rindle.attach(asset.id, ownerOf(world), 'avatar', { alt: 'A "friend" <of> mine' }))
    const attachment = await world.call(() => rindle.attachmentFor(ownerOf(world), 'avatar'))
    const html = await world.call(() => rindle.pictureTag(attachment, { variants: ['thumb', 'large'] }))
    world.expect(html.includes('&quot;friend&quot; &lt;of'), 'what people write is not escaped')
    for (const [, address = ''] of html.matchAll(/(?:src|srcset)="([^" ]+)/g))
      world.expect((await world.fetch(address.replaceAll('&amp;', '&'))) !== null, 'an address in a tag leads nowhere')
    world.expect((await world.call(() => rindle.pictureTag(null))) === '', 'nothing is drawn as something')
    const ready = await world.call(() => rindle.readyVariantsFor({ id: asset.id }))
    world.expect(ready.length === 2, `${ready.length} of 2 variants are ready`)
    await expectServed(world, asset.id, bytes)
  },
}

const players: Scenario = {
  name: 'player-tags',
  means: 'Somebody puts players into a page for what does not play: there are none, and there is no track of thumbnails.',
  calls: ['videoTag', 'audioTag', 'stripTrack', 'stripTrackUrl'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await passed(world)
    const shown = await world.call(() => rindle.videoTag(asset, { placeholder: '/"none".svg' }))
    world.expect(shown === '<video playsinline poster="/&quot;none&quot;.svg"></video>', `a picture is played as ${shown}`)
    world.expect((await world.call(() => rindle.audioTag(asset))) === '', 'a picture is heard')
    world.expect((await world.call(() => rindle.stripTrack(asset))) === null, 'a picture has thumbnails')
    world.expect((await world.call(() => rindle.stripTrackUrl(asset))) === null, 'a picture has an address of thumbnails')
    await world.refused(['argument_invalid'], () => rindle.videoTag(asset, { variants: ['thumb'] }))
    await expectServed(world, asset.id, bytes)
  },
}

/** Waits for the asset while a worker is at work. */
const settled = async (world: World, assetId: string): Promise<string> => {
  const waiting = world
    .call(() => world.rindle.settled(assetId, { timeoutMs: 600_000 }))
    .then(
      ({ state }) => state,
      (err: unknown) => (isRindleError(err) ? err.code : 'strange'),
    )
  await world.settle()
  return waiting
}

const waited: Scenario = {
  name: 'settled',
  means: 'Somebody waits until a picture has been through the gate, and is told; another is told why it was refused.',
  calls: ['settled'],
  async play(world) {
    const good = await uploaded(world)
    const told = await settled(world, good.asset.id)
    world.expect(told === 'ready', `who waited for a good file was told ${told}`)
    const bad = await uploaded(world, { bytes: world.random.bytes(70).fill(0x20) })
    const refusal = await settled(world, bad.asset.id)
    world.expect(refusal === 'type_unknown', `who waited for a broken file was told ${refusal}`)
    await world.refused(['asset_not_found'], () => world.rindle.settled('01a20000-0000-7000-8000-000000000000', { timeoutMs: 10 }))
  },
}

const pages: Scenario = {
  name: 'assets-by-page',
  means: 'What an owner uploaded is listed two at a time, newest first, and each once.',
  calls: ['assets'],
  async play(world) {
    const { rindle } = world
    const owner = ownerOf(world)
    const ids: string[] = []
    for (let count = 0; count < 3; count += 1) ids.unshift((await uploaded(world, { owner, profile: 'brief' })).asset.id)
    const first = await world.call(() => rindle.assets({ owner, limit: 2 }))
    const { cursor } = first
    const rest = cursor === null ? null : await world.call(() => rindle.assets({ owner, limit: 2, cursor }))
    const listed = [...first.assets, ...(rest?.assets ?? [])].map(({ id }) => id)
    if (world.undisturbed) world.expect(listed.join() === ids.join(), `listed are ${listed.join()}, not ${ids.join()}`)
    world.expect(new Set(listed).size === listed.length, 'an asset is listed twice')
  },
}

const early: Scenario = {
  name: 'asked-too-early',
  means: 'An address is asked for while the file is in the gate: not yet; then it is given, and to what was never there it is not.',
  calls: ['url', 'variantUrl'],
  async play(world) {
    const { rindle } = world
    const { asset, bytes } = await uploaded(world)
    if (world.undisturbed) await world.refused(['asset_not_available'], () => rindle.url(asset.id))
    await world.settle()
    await expectServed(world, asset.id, bytes)
    await world.refused(['asset_not_found'], () => rindle.url('01a20000-0000-7000-8000-000000000000'))
    await world.refused(['variant_unknown'], () => rindle.variantUrl(asset.id, 'thumbs' as 'thumb'))
  },
}

const documents: Scenario = {
  name: 'document-in-a-slot',
  means: 'A document is attached in the transaction that makes its owner, and served as an attachment.',
  calls: ['attach', 'url'],
  async play(world) {
    const { rindle } = world
    const bytes = new TextEncoder().encode(`the minutes of ${world.label}\n`)
    const asset = await anew(world, () => world.call(() => rindle.upload('paper', bytes, { filename: 'minutes.txt' })))
    await world.call(() =>
      world.transaction('commit', (tx) => rindle.attach(asset.id, ownerOf(world), 'paper', { tx, caption: 'Minutes' })),
    )
    await world.settle()
    const found = await world.call(() => rindle.attachmentFor(ownerOf(world), 'paper'))
    world.expect(found?.asset.id === asset.id && found.asset.state === 'available', 'the document is not in its slot')
    await expectServed(world, asset.id, bytes)
  },
}

export const delivery: readonly Scenario[] = [tags, players, waited, pages, early, documents]
