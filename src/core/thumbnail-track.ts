import type { StripGrid } from './variant-facts.ts'

/**
 * WebVTT that says which frame of a strip to show for which moment of a film: for each a cue with the strip's address and the frame's place in
 * it, as a media fragment, `#xywh=x,y,width,height` in pixels. The last one lasts until the film ends.
 */
export const thumbnailTrack = (grid: StripGrid, durationMs: number | null, url: string): string => {
  const { tileWidth, tileHeight, columns, count, intervalMs } = grid
  const endMs = durationMs ?? count * intervalMs
  const cues = Array.from({ length: count }, (_, index) => {
    const [fromMs, toMs] = [index * intervalMs, index === count - 1 ? endMs : Math.min((index + 1) * intervalMs, endMs)]
    const [x, y] = [(index % columns) * tileWidth, Math.floor(index / columns) * tileHeight]
    return { fromMs, toMs, text: `${url}#xywh=${x},${y},${tileWidth},${tileHeight}` }
  })
  // A cue that ends before it begins is none.
  const shown = cues.filter(({ fromMs, toMs }) => toMs > fromMs)
  return ['WEBVTT\n', ...shown.map(({ fromMs, toMs, text }) => `${clockOf(fromMs)} --> ${clockOf(toMs)}\n${text}\n`)].join('\n')
}

/** `01:02:03.004` */
const clockOf = (ms: number): string => {
  const part = (unitMs: number, most: number, digits = 2): string => String(Math.floor(ms / unitMs) % most).padStart(digits, '0')
  return `${part(3_600_000, Infinity)}:${part(60_000, 60)}:${part(1_000, 60)}.${part(1, 1_000, 3)}`
}
