import { playsInBrowsers } from '../../core/browser-playback.ts'
import { RindleError } from '../../core/errors.ts'
import type { AssetView } from '../../flows/delivery/view-asset.ts'
import { type AudioModel, type AudioWishes, type Playable, type PlayableFile, type TextTrack, trackKinds } from '../../wire/player.ts'
import { type Attributes, renderAttributes } from './markup.ts'
import { recipesOf, type TagContext, type Viewer } from './view-to-draw.ts'

/** What both players take. */
export interface PlayerTagOptions extends Viewer {
  /** Further attributes of the player, such as class, id, loop or crossorigin. `controls` and `preload` may be said otherwise here. */
  readonly attributes?: Attributes
}

/** What a view has to play, its variants in the order in which the profile names them. */
export const playableOf = (ctx: TagContext, view: AssetView): Playable => {
  const { asset, original } = view
  const { width, height, hasAudioTrack, videoCodec, audioCodec } = asset
  const plays = original !== null && playsInBrowsers({ contentType: original.contentType, videoCodec, audioCodec })
  const order = Object.keys(recipesOf(ctx, view))
  const variants = view.variants.toSorted((one, other) => order.indexOf(one.variant.name) - order.indexOf(other.variant.name))
  return {
    ...{ width, height, hasAudioTrack },
    original: plays ? { ...original, width, height, trackUrl: null } : null,
    variants: Object.fromEntries(
      variants.flatMap(({ variant, address, trackUrl }): [string, PlayableFile][] =>
        address ? [[variant.name, { ...address, width: variant.width, height: variant.height, trackUrl }]] : [],
      ),
    ),
  }
}

/** @throws RindleError `argument_invalid` for what is no track that browsers take */
export const checkTracks = ({ tracks = [] }: AudioWishes): void => {
  const refuse = (index: number, problem: string): never => {
    throw new RindleError('argument_invalid', { argument: `tracks.${index}`, problem })
  }
  for (const [index, { kind, src, srclang, label }] of tracks.entries()) {
    if (!trackKinds.includes(kind)) refuse(index, `kind must be one of ${trackKinds.join(', ')}`)
    if (typeof src !== 'string' || src === '') refuse(index, 'src must be the address of a WebVTT file')
    if (srclang === undefined ? kind === 'subtitles' : !/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(srclang))
      refuse(index, "srclang must be the language, as in 'pt-BR'")
    if (label === '') refuse(index, 'label must not be empty; leave it out')
  }
  for (const kinds of exclusive) {
    const defaults = tracks.flatMap((track, index) => (track.default && kinds.includes(track.kind) ? [index] : []))
    if (defaults[1] !== undefined) refuse(defaults[1], `another track of ${kinds.join(' or ')} is the default already`)
  }
}

/** Of these only one can be shown by itself. */
const exclusive: readonly (readonly TextTrack['kind'][])[] = [['subtitles', 'captions'], ['descriptions'], ['chapters']]

export const childTags = ({ sources, tracks }: AudioModel): string =>
  [
    ...sources.map(({ media, type, src }) => `<source${renderAttributes({ media, type, src })}>`),
    ...tracks.map(
      ({ kind, label = null, srclang = null, default: shown = false, src }) =>
        `<track${renderAttributes({ kind, label, srclang, default: shown, src })}>`,
    ),
  ].join('')
