import { avifShapes, heicShapes } from './heif.ts'
import type { Family } from './bomb.ts'
import { containers } from './containers.ts'
import { gifCanvas, gifFrames } from './gif.ts'
import { jpegFrames, jpegScans, metadata } from './jpeg.ts'
import { pngCanvas, pngDeflate, pngInterlaced, pngText } from './png.ts'
import { svgDrawings } from './svg.ts'
import { tiffDirectories, tiffStrips } from './tiff.ts'
import { webpCanvas, webpFrames } from './webp.ts'

export const families: readonly Family[] = [
  ...[pngCanvas, pngDeflate, pngInterlaced, pngText],
  ...[jpegScans, jpegFrames, metadata],
  ...[gifFrames, gifCanvas, webpCanvas, webpFrames],
  ...[avifShapes, heicShapes, tiffStrips, tiffDirectories],
  ...[svgDrawings, containers],
]
