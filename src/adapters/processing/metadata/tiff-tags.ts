import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import type { Entry } from './tiff-entries.ts'

/** What a directory is: a picture of a TIFF file, one of an Exif block, Exif's own, or one that is of no interest. */
export type IfdRole = 'image' | 'embedded' | 'exif' | 'interop'

export type Action =
  | 'keep'
  /** The value is blanked and the entry goes. */
  | 'drop'
  | 'erase-ifd'
  /** Goes when it says a place. */
  | 'text'
  | 'maker-note'
  | 'xmp'
  | 'iptc'
  | 'photoshop'
  | 'thumbnail'
  | { readonly walk: IfdRole }

const gps = 0x8825
const exif = 0x8769
const interop = 0xa005
const subIfds = 0x014a

/** Where on the earth it lies (GeoTIFF), what GDAL and DNG writers add to it, and private notes. */
const placeTags: ReadonlySet<number> = new Set([33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 33920, 50740, 33918, 33919])

const byTag: Readonly<Record<number, Action>> = {
  [gps]: 'erase-ifd',
  [exif]: { walk: 'exif' },
  [interop]: { walk: 'interop' },
  [subIfds]: { walk: 'image' },
  0x02bc: 'xmp',
  0x83bb: 'iptc',
  0x8649: 'photoshop',
  0x927c: 'maker-note',
}

const exifThumbnail = 0x0201

/** What a TIFF needs to be drawn: its structure, its compression, its colours, how it stands; and its resolution. */
const drawingTags: ReadonlySet<number> = new Set([
  ...[254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 290, 291, 292, 293, 296],
  ...[301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 334, 336, 338, 339, 340, 341, 342, 347],
  ...[512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 559, 34675],
])

const textTypes: ReadonlySet<number> = new Set([1, 2, 7, 129])

export const actionOf = (entry: Entry, role: IfdRole, policy: MetadataPolicy): Action => {
  const { tag } = entry
  if (policy === 'strip' && role === 'image') return stripAction(tag)
  if (placeTags.has(tag)) return 'drop'
  const known = byTag[tag]
  if (known) return known
  if (role === 'embedded' && tag === exifThumbnail) return 'thumbnail'
  const isText = textTypes.has(entry.type) && !entry.inline && !drawingTags.has(tag)
  return isText ? 'text' : 'keep'
}

const stripAction = (tag: number): Action => {
  if (tag === gps || tag === exif || tag === interop) return 'erase-ifd'
  if (tag === subIfds) return { walk: 'image' }
  return drawingTags.has(tag) ? 'keep' : 'drop'
}
