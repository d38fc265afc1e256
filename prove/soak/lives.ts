import { isRindleError } from '../../src/core/errors.ts'
import { film, ownerOf, uploaded } from '../scenarios/people.ts'
import type { World } from '../scenarios/scenario.ts'

/** A file from when it comes until nobody wants it any more. */
export interface Life {
  /** @returns the id of the asset. */
  begin(world: World): Promise<string>
  /**
   * All that is made of it is seen, and then it is not wanted any more.
   *
   * @returns whether it, or a variant of it, was given up since two decoders had died over it.
   */
  end(world: World, assetId: string): Promise<boolean>
}

/** A picture in a slot, with its sizes in a page. */
const portrait: Life = {
  async begin(world) {
    const { asset } = await uploaded(world)
    await world.call(() => world.rindle.attach(asset.id, ownerOf(world), 'avatar'))
    return asset.id
  },
  async end(world, assetId) {
    const attachment = await world.call(() => world.rindle.attachmentFor(ownerOf(world), 'avatar'))
    const asset = await world.call(() => world.rindle.asset(assetId))
    const isHeldBack = asset?.error?.code === 'decoder_killed'
    if (!isHeldBack) {
      const html = await world.call(() => world.rindle.pictureTag(attachment, { variants: ['thumb', 'large'] }))
      world.expect(html.includes('<img'), `the picture is not drawn: ${attachment?.asset.state ?? 'nothing there'}`)
    }
    await world.call(() => world.rindle.detach(ownerOf(world), 'avatar'))
    if (isHeldBack) await world.call(() => world.rindle.purge(assetId))
    return isHeldBack
  },
}

/** A film with its poster, its film for browsers, its strip and its peaks, in a player. */
const lesson: Life = {
  begin: async (world) => (await uploaded(world, { profile: 'lesson', bytes: film(world), filename: `${world.label}.mp4` })).asset.id,
  async end(world, assetId) {
    const asset = await world.call(() => world.rindle.asset(assetId))
    const isHeldBack = asset?.error?.code === 'decoder_killed' || (asset?.state === 'degraded' && (await isGivenUp(world, assetId)))
    if (!isHeldBack) await watch(world, assetId)
    await world.call(() => world.rindle.purge(assetId)).catch(orGone)
    return isHeldBack
  },
}

const isGivenUp = async ({ ctx }: World, assetId: string): Promise<boolean> => {
  const rows = await ctx.db.pool.selectFrom('rindle.media_variants').select('error_code').where('asset_id', '=', assetId).execute()
  return rows.every(({ error_code: code }) => code === null || code === 'decoder_killed')
}

const watch = async (world: World, id: string): Promise<void> => {
  const { rindle } = world
  const ready = await world.call(() => rindle.readyVariantsFor({ id }))
  const names = ready.map(({ name }) => name).toSorted()
  world.expect(names.join() === 'peaks,poster,scrub_strip,web_720p', `of the film there are ${names.join() || 'no variants'}`)
  const html = await world.call(() => rindle.videoTag({ id }))
  for (const part of ['<video controls', 'poster="', '<track kind="metadata"'])
    world.expect(html.includes(part), `the player has no ${part}: ${html}`)
  const peaks = await world.fetch(await world.call(() => rindle.variantUrl({ id }, 'peaks')))
  world.expect(peaks !== null, 'the peaks of its sound do not load')
  const address = await world.call(() => rindle.stripTrackUrl(id))
  world.expect(address !== null && (await world.fetch(address)) !== null, 'its thumbnails do not load')
}

/** The answer of the call that purged it was lost. */
const orGone = (err: unknown): void => {
  if (!isRindleError(err) || err.code !== 'asset_not_found') throw err
}

/** One of four is a lesson. */
export const lifeOf = (index: number): Life => (index % 4 === 3 ? lesson : portrait)
