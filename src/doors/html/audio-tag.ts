import { audioModel, type AudioWishes } from '../../wire/player.ts'
import { ownAttributes, renderAttributes } from './markup.ts'
import { checkTracks, childTags, playableOf, type PlayerTagOptions } from './player-parts.ts'
import { checkWishes, type TagContext, type TagSubject, viewToDraw } from './view-to-draw.ts'

export interface AudioTagOptions<N extends string = string> extends AudioWishes<N>, PlayerTagOptions {}

/**
 * An `<audio>` as HTML, everything in it escaped: the files of sound that are ready, in the order in which the profile names them, with their
 * real types, and the app's own tracks. The original comes last, where browsers play it, of a film as well. An attachment whose file may not
 * be served yet plays what stood there before.
 *
 * With null, and while nothing can be played by the actor, it is empty text.
 *
 * @throws RindleError `variant_unknown`, `argument_invalid` for variants that are no sound, and for tracks and attributes that the tag cannot
 * take, `profile_unknown`
 */
export async function audioTag(ctx: TagContext, subject: TagSubject, options: AudioTagOptions = {}): Promise<string> {
  const attributes = ownAttributes(options.attributes ?? {}, ['src'])
  checkTracks(options)
  const view = await viewToDraw(ctx, subject, options)
  if (view) checkWishes(ctx, view, options.variants, { argument: 'variants', kinds: ['audio'] })
  const model = audioModel(view && playableOf(ctx, view), options)
  return model ? `<audio${renderAttributes({ controls: true, preload: 'metadata', ...attributes })}>${childTags(model)}</audio>` : ''
}
