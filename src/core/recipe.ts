export type ImageMode = 'fit' | 'fill' | 'crop'
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'avif'

/** How one image variant is made; every default filled in. */
export interface ImageRecipe {
  readonly kind: 'image'
  /**
   * `fit` keeps the aspect ratio inside the box and never enlarges. `fill` covers and crops around the middle to exactly W×H, and is the
   * only one that enlarges a smaller picture. `crop` cuts the largest part of the shape W:H around the focal point and never enlarges: a
   * smaller picture gives a smaller variant of that shape.
   */
  readonly mode: ImageMode
  readonly width: number | null
  readonly height: number | null
  /** `auto` is webp where the source has alpha, else jpeg. */
  readonly format: ImageFormat | 'auto'
  /** 1 to 100. */
  readonly quality: number
  /** 0 to 9, as the encoder takes it: webp goes to 6, png compresses by it, jpeg has none. */
  readonly effort: number
  /** What shows through where the format has no alpha: `#rrggbb`. */
  readonly background: string
  /** Where the eye should rest, each 0 to 1 of the displayed picture. */
  readonly focal: { readonly x: number; readonly y: number }
  /** Keeps the frames of a GIF or WebP, as WebP: `auto` then means webp. Other formats show the first frame. */
  readonly animated: boolean
}

/** An MP4 that every browser plays: H.264 and AAC, its index in front. Of a file without a moving picture none is made. */
export interface VideoRecipe {
  readonly kind: 'video'
  /** The box in pixels, 2 to 7,680 each, that the picture is fitted into as it is shown, its shape kept. Never enlarged; both sides come out even. */
  readonly width: number
  readonly height: number
  /** Constant rate factor of x264: 1 is best, 51 worst. */
  readonly crf: number
  /** Kilobits a second that the picture never needs for long, 8 to 200,000. */
  readonly maxBitrateKbps: number
  /** Kilobits a second of the sound, 32 to 512. */
  readonly audioBitrateKbps: number
}

export type AudioFormat = 'm4a' | 'mp3'
export type Loudness = 'keep' | 'one-pass' | 'two-pass'

/** The sound alone: AAC in `m4a`, or `mp3`. Of a file without sound none is made. */
export interface AudioRecipe {
  readonly kind: 'audio'
  readonly format: AudioFormat
  /** Kilobits a second, 32 to 320. */
  readonly bitrateKbps: number
  /** Null keeps one or two, and mixes more than two down to two. */
  readonly channels: 1 | 2 | null
  /**
   * How loud: as it is, or at -16 LUFS with peaks below -1.5 dBTP. One pass follows what it hears and changes quiet beginnings; two passes
   * read everything twice and change no more than the level where that is enough.
   */
  readonly loudness: Loudness
}

/** How loud the sound is over its length, to be drawn: JSON, `{ length, sample_rate, duration_ms, peaks: [[lowest, highest], …] }`, from -1 to 1. */
export interface WaveformRecipe {
  readonly kind: 'waveform'
  /** Pairs in `peaks`, 10 to 10,000, whatever the length of the sound. */
  readonly length: number
}

/** One frame of a film as a picture, fitted into its box and never enlarged. */
export interface PosterRecipe {
  readonly kind: 'poster'
  /** `scene`: where something else begins to be seen, early in the film; `first`: the first that is not black; or so many seconds in. */
  readonly at: 'scene' | 'first' | number
  /** The box, in pixels. */
  readonly width: number
  readonly height: number
  readonly format: 'jpeg' | 'webp'
  /** 1 to 100. */
  readonly quality: number
}

/** Small frames of a film at even distances, side by side in one JPEG, to be shown while somebody scrubs. */
export interface StripRecipe {
  readonly kind: 'strip'
  /** The box of one frame, in pixels, 1,280 at most. */
  readonly width: number
  readonly height: number
  /** Seconds from one to the next; null: so that there are a hundred at most, never less than a second. */
  readonly everySeconds: number | null
  /** Frames in a row. */
  readonly columns: number
  /** 1 to 100. */
  readonly quality: number
}

/** A few moments of a film that move, as an animated WebP without sound. */
export interface PreviewRecipe {
  readonly kind: 'preview'
  /** The box, in pixels, 1,280 at most. */
  readonly width: number
  readonly height: number
  /** How long it moves before it begins again, 0.5 to 30. */
  readonly seconds: number
  /** 1 to 30. */
  readonly framesPerSecond: number
  /** 1 to 100. */
  readonly quality: number
}

export type Recipe = ImageRecipe | VideoRecipe | AudioRecipe | WaveformRecipe | PosterRecipe | StripRecipe | PreviewRecipe

/** What a profile makes, by name. */
export type Recipes = Readonly<Record<string, Recipe>>
