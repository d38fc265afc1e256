import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Box, boxesOf, childOf } from './boxes.ts'
import { type Bytes, inside, joined, partOf } from './bytes.ts'
import { stripEmbeddedJpeg } from './jpeg.ts'
import { anyTextIn, saysPlace } from './place-words.ts'
import { stripExif } from './tiff.ts'
import { stripXmp } from './xmp.ts'

interface Item {
  readonly id: number
  readonly type: string
  /** Of an item of type `mime`: its content type, and the encoding where there is one. */
  readonly mime: string
  readonly isProtected: boolean
}

/** Where the bytes of an item stand. */
interface Extents {
  readonly method: number
  readonly parts: readonly { readonly start: number; readonly length: number }[]
}

/** Items that are drawn. */
const pictures: ReadonlySet<string> = new Set(
  'hvc1 hev1 lhv1 av01 avc1 avc3 vvc1 vvi1 j2k1 unci mski grid iden iovl tmap tili evc1 s4'.split(' '),
)
const known: ReadonlySet<string> = new Set('hdlr pitm iloc iinf iref iprp idat ipro dinf grpl'.split(' '))

/** The items of a HEIC or AVIF file that are not pictures, wherever their parts stand. @throws RindleError `metadata_not_removable` */
export const stripItems = (meta: Bytes, file: Bytes, policy: MetadataPolicy): void => {
  const children = new Map<string, Box>()
  for (const box of boxesOf(meta)) {
    if (box.type === 'free' || box.type === 'skip') box.body.fill(0, box.body.size, 0)
    else if (!known.has(box.type)) box.discard()
    else if (!children.has(box.type)) children.set(box.type, box)
    else meta.refuse()
  }
  stripDescriptions(children.get('iprp'), policy)
  const items = itemsIn(children.get('iinf')?.body)
  if (items.every(({ type }) => pictures.has(type))) return
  const extents = extentsIn(children.get('iloc')?.body ?? meta.refuse())
  const whole = { extents, file, idat: children.get('idat')?.body ?? null, references: referencesIn(children.get('iref')?.body) }
  for (const item of items) if (!pictures.has(item.type)) stripItem(item, contentOf(item.id, whole, 0), policy)
}

const stripItem = (item: Item, content: Bytes, policy: MetadataPolicy): void => {
  if (item.isProtected) return content.fill(0, content.size, 0)
  if (item.type === 'Exif') return stripExifItem(content, policy)
  if (item.type === 'mime' && item.mime === 'application/rdf+xml') return stripXmp(content, policy)
  if (item.type === 'jpeg' || item.mime === 'image/jpeg') return stripEmbeddedJpeg(policy)(content)
  if (policy === 'strip' || item.type !== 'uri ' || anyTextIn(content, saysPlace)) content.fill(0, content.size, 0)
}

/** Four bytes say how far behind them the TIFF block begins. */
const stripExifItem = (content: Bytes, policy: MetadataPolicy): void => {
  const start = content.size >= 4 ? 4 + content.read(0, 4).readUInt32BE(0) : 0
  if (start + 8 > content.size) return content.fill(0, content.size, 0)
  const before = partOf(content, 4, start)
  if (before.size > 0 && !(before.size === 6 && before.read(0, 4).toString('latin1') === 'Exif')) before.fill(0, before.size, 0)
  stripExif(partOf(content, start), policy, { picture: stripEmbeddedJpeg(policy) })
}

/** What somebody wrote about a picture stands among its properties, which are counted, so its text goes and the box stays. */
const stripDescriptions = (iprp: Box | undefined, policy: MetadataPolicy): void => {
  const ipco = iprp && childOf(iprp.body, 'ipco')
  if (!ipco) return
  for (const { type, body } of boxesOf(ipco.body)) {
    const isText = type === 'udes' || type === 'altt'
    if (isText && (policy === 'strip' || anyTextIn(body, saysPlace))) body.fill(4, body.size, 0)
    if ((type === 'crtt' || type === 'mdft') && policy === 'strip') body.fill(4, body.size, 0)
    if (type === 'uuid' && (policy === 'strip' || anyTextIn(body, saysPlace))) body.fill(16, body.size, 0)
  }
}

const mostItems = 65_536

const itemsIn = (iinf: Bytes | undefined): Item[] => {
  if (!iinf) return []
  const items: Item[] = []
  for (const { type, body } of boxesOf(iinf, (iinf.read(0, 1)[0] ?? 0) === 0 ? 6 : 8)) {
    if (type !== 'infe') continue
    if (items.length >= mostItems || body.size < 4) return iinf.refuse()
    const version = body.read(0, 1)[0] ?? 0
    const wide = version === 3 ? 4 : 2
    if (version < 2 || version > 3 || body.size < 4 + wide + 6) return iinf.refuse()
    const fields = body.read(4, wide + 6)
    const names = body
      .read(4 + wide + 6, Math.min(1024, body.size - 10 - wide))
      .toString('latin1')
      .split('\0')
    const encoded = (names[2] ?? '') === '' ? '' : ';encoded'
    const mime = `${(names[1] ?? '').trim().toLowerCase()}${encoded}`
    items.push({
      id: fields.readUIntBE(0, wide),
      type: fields.toString('latin1', wide + 2),
      mime,
      isProtected: fields.readUInt16BE(wide) !== 0,
    })
  }
  return items
}

const mostExtents = 262_144

const extentsIn = (iloc: Bytes): Map<number, Extents> => {
  const found = new Map<number, Extents>()
  let at = 6
  const number = (width: number): number => {
    if (width === 0) return 0
    if (![2, 4, 8].includes(width) || !inside(at, width, iloc.size)) return iloc.refuse()
    const field = iloc.read(at, width)
    at += width
    return width === 8 ? Number(field.readBigUInt64BE(0)) : field.readUIntBE(0, width)
  }
  const head = iloc.read(0, 6)
  const version = head[0] ?? 0
  const [offsetWidth, lengthWidth, baseWidth] = [(head[4] ?? 0) >> 4, (head[4] ?? 0) & 15, (head[5] ?? 0) >> 4]
  const indexWidth = version === 0 ? 0 : (head[5] ?? 0) & 15
  const idWidth = version < 2 ? 2 : 4
  let extentsLeft = mostExtents
  for (let left = number(idWidth); left > 0; left -= 1) {
    const id = number(idWidth)
    const method = version === 0 ? 0 : number(2) & 15
    number(2)
    const base = number(baseWidth)
    const count = number(2)
    if ((extentsLeft -= count + 1) < 0) return iloc.refuse()
    const parts = Array.from({ length: count }, () => {
      number(indexWidth)
      const start = base + number(offsetWidth)
      return { start, length: number(lengthWidth) }
    })
    if (!found.has(id)) found.set(id, { method, parts })
  }
  return found
}

interface Whole {
  readonly extents: ReadonlyMap<number, Extents>
  readonly file: Bytes
  readonly idat: Bytes | null
  /** Which items an item is made of, in order. */
  readonly references: ReadonlyMap<number, readonly number[]>
}

const deepest = 4

/** All parts of an item as one; a length of 0 means to the end. */
const contentOf = (id: number, whole: Whole, depth: number): Bytes => {
  const { extents, file, idat, references } = whole
  const own = extents.get(id)
  if (!own) return partOf(file, 0, 0)
  if (depth > deepest || own.method > 2) return file.refuse()
  const source = own.method === 0 ? file : own.method === 1 ? idat : null
  const sources = source ? null : (references.get(id) ?? []).map((other) => contentOf(other, whole, depth + 1))
  const parts = own.parts.map(({ start, length }, index) => {
    const from = source ?? sources?.[Math.min(index, sources.length - 1)] ?? file.refuse()
    return partOf(from, start, length === 0 ? from.size : start + length)
  })
  return joined(parts, file)
}

/** References of the kind that says of which items an item's bytes are taken. */
const referencesIn = (iref: Bytes | undefined): Map<number, number[]> => {
  const found = new Map<number, number[]>()
  if (!iref) return found
  const wide = (iref.read(0, 1)[0] ?? 0) === 0 ? 2 : 4
  for (const { type, body } of boxesOf(iref, 4)) {
    if (type !== 'iloc' || body.size < wide + 2) continue
    const count = body.read(wide, 2).readUInt16BE(0)
    if (!inside(wide + 2, count * wide, body.size)) return iref.refuse()
    const ids = body.read(wide + 2, count * wide)
    found.set(
      body.read(0, wide).readUIntBE(0, wide),
      Array.from({ length: count }, (_, index) => ids.readUIntBE(index * wide, wide)),
    )
  }
  return found
}
