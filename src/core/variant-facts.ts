/** A track of thumbnails is written anew for everybody who asks, a line for each frame: no strip has more. */
export const mostStripFrames = 10_000

/** How the frames of a strip lie in its picture, row by row, and what of the film each is shown for. */
export interface StripGrid {
  readonly tileWidth: number
  readonly tileHeight: number
  readonly columns: number
  readonly rows: number
  /** Of the frames; the last row may have fewer than the others. */
  readonly count: number
  readonly intervalMs: number
}

/** What was found in a variant once it was made. */
export interface VariantFacts {
  /** Null for what is only heard. */
  readonly width: number | null
  readonly height: number | null
  /** Null for pictures. */
  readonly durationMs: number | null
  readonly hasAudioTrack: boolean | null
  /** Null for what is no strip of frames. */
  readonly grid: StripGrid | null
}

/** Of a picture no more is known than its size. */
export const pictureFacts = ({ width, height }: { readonly width: number; readonly height: number }): VariantFacts => ({
  ...{ width, height, durationMs: null, hasAudioTrack: null, grid: null },
})
