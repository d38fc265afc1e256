import { type VariantWish, wishOf } from './variant-wish.ts'

/** One stored file that may be served. */
export interface PlayableFile {
  readonly url: string
  readonly contentType: string
  /** As displayed; null for what is only heard. */
  readonly width: number | null
  readonly height: number | null
  /** Of the track that says what the frames of a strip are shown for; null for what is no strip. */
  readonly trackUrl: string | null
}

/** What can be played of an asset now: files that may not be served are absent. */
export interface Playable {
  /** Of the original, as displayed. */
  readonly width: number | null
  readonly height: number | null
  /** Null when nobody looked. */
  readonly hasAudioTrack: boolean | null
  /** Null also where browsers do not play it. */
  readonly original: PlayableFile | null
  /** In the order of preference. */
  readonly variants: Readonly<Record<string, PlayableFile>>
}

/** What `<track>` may be, by the names of HTML. */
export const trackKinds = ['subtitles', 'captions', 'descriptions', 'chapters', 'metadata'] as const

/** A track of text that the app has itself: WebVTT at any address. */
export interface TextTrack {
  readonly kind: (typeof trackKinds)[number]
  readonly src: string
  /** Its language, as in `pt-BR`; subtitles have to say. */
  readonly srclang?: string
  /** What a person chooses it by. */
  readonly label?: string
  /** Shown without being chosen. */
  readonly default?: boolean
}

export interface AudioWishes<N extends string = string> {
  /** In order: the browser takes the first that it plays. Default: every one that is ready, films with the most pixels first. */
  readonly variants?: readonly VariantWish<N>[]
  /** False: never the file as it was uploaded. By default it comes last, where browsers play it. */
  readonly original?: boolean
  readonly tracks?: readonly TextTrack[]
}

export interface VideoWishes<N extends string = string> extends AudioWishes<N> {
  /** The picture that is shown before anything plays. Default: the variant named `poster`; null: none. */
  readonly poster?: N | null
  /** The strip of thumbnails. Default: the first there is; null: none. */
  readonly strip?: N | null
  /** The address of a picture to show where there is no poster, and when there is nothing else. */
  readonly placeholder?: string
}

export interface PlayerSource {
  readonly src: string
  readonly type: string
  readonly media: string | null
}

export interface AudioModel {
  readonly sources: readonly PlayerSource[]
  readonly tracks: readonly TextTrack[]
}

export interface VideoModel extends AudioModel {
  readonly poster: string | null
  /** Of the first source; while there is only the poster, of the original. */
  readonly width: number | null
  readonly height: number | null
}

/**
 * What an `<audio>` of this asset says: the files of sound, then the original where browsers play it, of a film as well. Null when there is
 * nothing to play. Pure: nothing is escaped here.
 */
export const audioModel = (playable: Playable | null, wishes: AudioWishes = {}): AudioModel | null => {
  const offers = playable ? offersOf(playable, 'audio', wishes) : []
  return offers.length > 0 ? { sources: offers.map(sourceOf), tracks: wishes.tracks ?? [] } : null
}

/**
 * What a `<video>` of this asset says: films with their types, the original last where browsers play it, the size of what plays, a poster and
 * thumbnails. Without sources it is the poster alone, or the placeholder. Null when there is nothing to show. Pure: nothing is escaped here.
 */
export const videoModel = (playable: Playable | null, wishes: VideoWishes = {}): VideoModel | null => {
  const offers = playable ? offersOf(playable, 'video', wishes) : []
  const own = playable && posterOf(playable, wishes.poster)
  const poster = own ?? (wishes.placeholder || null)
  if (offers.length === 0 && poster === null) return null
  const { width, height } = offers[0]?.file ?? (own === null ? null : playable) ?? { width: null, height: null }
  const thumbnails = playable && thumbnailsOf(playable, wishes.strip)
  const tracks = [...(wishes.tracks ?? []), ...(thumbnails ? [thumbnails] : [])]
  return { sources: offers.map(sourceOf), tracks: offers.length > 0 ? tracks : [], poster, width, height }
}

interface Offer {
  readonly file: PlayableFile
  readonly media: string | null
}

type Family = 'video' | 'audio'

const offersOf = (playable: Playable, family: Family, { variants, original = true }: AudioWishes): Offer[] => {
  const named = variants
    ? variants.map(wishOf).map(({ name, media }) => ({ file: variantIn(playable, name), media }))
    : Object.values(playable.variants)
        .toSorted((one, other) => areaOf(other) - areaOf(one))
        .map((file) => ({ file, media: null }))
  const offers = named.flatMap(({ file, media }) => (file && isOf(family, file) ? [{ file, media }] : []))
  const last = original ? playable.original : null
  const isHeard = family === 'audio' && playable.hasAudioTrack !== false
  return last && (isOf(family, last) || (isHeard && isOf('video', last))) ? [...offers, { file: last, media: null }] : offers
}

const sourceOf = ({ file, media }: Offer): PlayerSource => ({ src: file.url, type: file.contentType, media })

const posterOf = (playable: Playable, name: string | null = 'poster'): string | null => {
  const file = name === null ? null : variantIn(playable, name)
  return file && isPicture(file) ? file.url : null
}

/** By this label players know it; `default`, or browsers would not load it. */
const thumbnailsOf = (playable: Playable, name?: string | null): TextTrack | null => {
  const strip = typeof name === 'string' ? variantIn(playable, name) : Object.values(playable.variants).find(({ trackUrl }) => trackUrl)
  return name !== null && strip?.trackUrl ? { kind: 'metadata', label: 'thumbnails', src: strip.trackUrl, default: true } : null
}

const variantIn = ({ variants }: Playable, name: string): PlayableFile | null =>
  (Object.hasOwn(variants, name) ? variants[name] : undefined) ?? null

const isOf = (family: Family, { contentType }: PlayableFile): boolean => contentType.startsWith(`${family}/`)
const isPicture = ({ contentType, trackUrl }: PlayableFile): boolean => contentType.startsWith('image/') && trackUrl === null
const areaOf = ({ width, height }: PlayableFile): number => (width ?? 0) * (height ?? 0)
