import { type VideoModel, videoModel, type VideoWishes } from '../../wire/player.ts'
import { type Attributes, ownAttributes, renderAttributes } from './markup.ts'
import { checkTracks, childTags, playableOf, type PlayerTagOptions } from './player-parts.ts'
import { checkWishes, type TagContext, type TagSubject, viewToDraw } from './view-to-draw.ts'

export interface VideoTagOptions<N extends string = string> extends VideoWishes<N>, PlayerTagOptions {}

/**
 * A `<video>` as HTML, everything in it escaped: the films that are ready, the largest first, with their real types and the size of what
 * plays; a poster; the app's own tracks, and thumbnails for players that show them while somebody scrubs. The original comes last, where
 * browsers play it. An attachment whose file may not be served yet shows what stood there before.
 *
 * While nothing can be played yet it is the poster, without controls. With null, and while nothing may be shown to the actor, it is the
 * picture at `placeholder`, or empty text. Without a `baseUrl` there are no thumbnails.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for variants that are not of the right kind, and for tracks and attributes that the
 * tag cannot take, `profile_unknown`
 */
export async function videoTag(ctx: TagContext, subject: TagSubject, options: VideoTagOptions = {}): Promise<string> {
  const attributes = ownAttributes(options.attributes ?? {}, reserved)
  checkTracks(options)
  const view = await viewToDraw(ctx, subject, options)
  if (view) {
    const { variants, poster, strip } = options
    checkWishes(ctx, view, variants, { argument: 'variants', kinds: ['video'] })
    checkWishes(ctx, view, poster ? [poster] : [], { argument: 'poster', kinds: ['poster', 'preview', 'image'] })
    checkWishes(ctx, view, strip ? [strip] : [], { argument: 'strip', kinds: ['strip'] })
  }
  const model = videoModel(view && playableOf(ctx, view), options)
  return model ? render(model, attributes) : ''
}

const reserved = ['src', 'width', 'height', 'poster']

const render = (model: VideoModel, attributes: Attributes): string => {
  const { width, height, poster } = model
  const isFilm = model.sources.length > 0
  const usual: Attributes = { controls: isFilm, playsinline: true, preload: isFilm ? 'metadata' : null }
  return `<video${renderAttributes({ ...usual, ...attributes, width, height, poster })}>${childTags(model)}</video>`
}
