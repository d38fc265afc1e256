import type { MetadataPolicy } from '../../../core/metadata-policy.ts'
import { type Box, boxAt, boxesOf, childOf, looseBoxesOf } from './boxes.ts'
import { type Bytes, partOf, stepsOf } from './bytes.ts'
import { stripItems } from './bmff-items.ts'
import { blankSamples, isPlaceTrack, saysPlaceInFragments } from './bmff-tracks.ts'
import { anyTextIn, namesPlace, saysPlace } from './place-words.ts'
import { stripXmp } from './xmp.ts'

const setOf = (types: string): ReadonlySet<string> => new Set(types.split(' '))
/** At the outermost level. Messages between segments (`emsg`) and second places for samples (`imda`) hold what nobody knows, and go. */
const kept = setOf('ftyp styp mdat moof mfra sidx ssix prft pdin wide')
/** What is known in each box that holds others, save those that are looked into wherever they stand. */
const keptIn: Readonly<Record<string, ReadonlySet<string>>> = {
  moov: setOf('mvhd mvex iods pssh prfl ctab rmra clip trak'),
  trak: setOf('tkhd tref trgr edts mdia load tapt matt clip imap txas'),
  mdia: setOf('mdhd hdlr minf elng'),
  minf: setOf('vmhd smhd hmhd sthd nmhd gmhd hdlr dinf stbl'),
  stbl: setOf('stsd stts ctts cslg stsc stsz stz2 stco co64 stss stps stsh sdtp padb stdp sbgp sgpd csgp subs saiz saio senc'),
  moof: setOf('mfhd traf pssh'),
  traf: setOf('tfhd tfdt trun sdtp sbgp sgpd csgp subs saiz saio senc'),
}
const times: ReadonlySet<string> = new Set(['mvhd', 'tkhd', 'mdhd'])
const deepest = 12

/** MP4, MOV and their kin, and HEIC and AVIF. What follows the last box is zero. @throws RindleError `metadata_not_removable` */
export const stripBmff = (bytes: Bytes, policy: MetadataPolicy): void => {
  const end = stripMovie(bytes, policy)
  const cut = end + 8 <= bytes.size ? bytes.read(end + 4, 4).toString('latin1') : ''
  if (cut === 'mdat') return
  if (cut === 'moov' || cut === 'meta' || cut === 'moof' || end === 0) return bytes.refuse()
  bytes.fill(end, bytes.size, 0)
}

/**
 * Boxes from the beginning on, as far as there are any. A second beginning is that of a file of its own, as a film behind a photo, and its offsets
 * count from there. @returns where they end
 */
export const stripMovie = (bytes: Bytes, policy: MetadataPolicy): number => {
  let movie = bytes
  let at = 0
  for (let box = boxAt(bytes, 0); box && /^[\w© ~-]{4}$/.test(box.type); box = boxAt(bytes, at)) {
    if (box.type === 'ftyp' && at > 0) movie = partOf(bytes, at)
    stripBox(box, movie, policy, 0, kept)
    at = box.end
  }
  return at
}

const stripBox = (box: Box, file: Bytes, policy: MetadataPolicy, depth: number, known: ReadonlySet<string>): void => {
  const { type, body } = box
  if (depth > deepest || type === 'cmov') return file.refuse()
  if (type === 'free' || type === 'skip') return body.fill(0, body.size, 0)
  if (type === 'udta') return policy === 'strip' ? box.discard() : stripUserNotes(body, file, policy, depth)
  if (type === 'meta') return stripMeta(box, file, policy)
  if (type === 'uuid') return stripExtension(box, policy)
  if (type === 'mpvd') return void stripMovie(body, policy)
  if (type === 'gps ') return stripDashboard(box, file)
  if (type === 'trak' && isPlaceTrack(body, file, policy)) {
    blankSamples(body, file)
    return box.discard()
  }
  if (policy === 'strip' && times.has(type)) forgetTimes(body)
  if (type === 'hdlr') forgetName(body, policy)
  const children = keptIn[type]
  if (children && (known.has(type) || type === 'moov')) {
    if (type === 'moov' && childOf(body, 'mvex')) refusePlaceFragments(body, file, policy)
    for (const child of boxesOf(body)) stripBox(child, file, policy, depth + 1, children)
  } else if (!known.has(type)) box.discard()
}

/** Samples in fragments are not found by way of the track: without it, their bytes would stay. */
const refusePlaceFragments = (moov: Bytes, file: Bytes, policy: MetadataPolicy): void => {
  for (const { type, body } of boxesOf(moov))
    if (type === 'trak' && (isPlaceTrack(body, file, policy) || saysPlaceInFragments(body, moov, file))) moov.refuse()
}

const handlerNameAt = 24

/** What an editor calls a track is free text. */
const forgetName = (body: Bytes, policy: MetadataPolicy): void => {
  if (body.size <= handlerNameAt) return
  if (policy === 'strip' || anyTextIn(partOf(body, handlerNameAt), saysPlace)) body.fill(handlerNameAt, body.size, 0)
}

/** When it was made and changed. */
const forgetTimes = (body: Bytes): void => {
  const long = body.size > 0 && body.read(0, 1)[0] === 1
  body.fill(4, long ? 20 : 12, 0)
}

/** Notes whose form is known and that hold no place of their own; the text of each is looked at. Others are a maker's, and go. */
const userNotes =
  /^(?:©(?!xyz)[A-Za-z0-9 ]{3}|cprt|titl|auth|perf|gnre|dscp|albm|yrrc|rtng|clsf|kywd|coll|name|tagc|hnti|hinf|WLOC|SelO|AllF|LOOP|manu|modl|vndr|TMCD|kind|strk|tsel|elng|ludt|SDLN|smta|free|skip|meta|uuid|XMP_)$/

const stripUserNotes = (udta: Bytes, file: Bytes, policy: MetadataPolicy, depth: number): void => {
  for (const note of looseBoxesOf(udta)) {
    if (note.type === 'XMP_') stripXmp(note.body, policy)
    else if (['meta', 'uuid', 'free', 'skip'].includes(note.type)) stripBox(note, file, policy, depth + 1, kept)
    else if (note.type !== 'WLOC' && (!userNotes.test(note.type) || anyTextIn(note.body, saysPlace))) note.discard()
  }
}

/** What an item list, a list of pictures or another handler's notes need; QuickTime writes the box without version and flags. */
const stripMeta = (box: Box, file: Bytes, policy: MetadataPolicy): void => {
  const { body } = box
  const from = body.size >= 8 && body.read(4, 4).toString('latin1') === 'hdlr' ? 0 : 4
  const handler = childOf(body, 'hdlr', from)
  const type = handler && handler.body.size >= 12 ? handler.body.read(8, 4).toString('latin1') : ''
  if (type === 'pict') return stripItems(partOf(body, from), file, policy)
  if (policy === 'strip') return box.discard()
  if (type !== 'mdta' && type !== 'mdir') return childOf(body, 'ID32', from) || anyTextIn(body, saysPlace) ? box.discard() : undefined
  const keys = childOf(body, 'keys', from)
  const names = keys ? keyNames(keys.body) : []
  for (const child of boxesOf(body, from)) {
    if (child.type === 'ilst') stripList(child.body, names)
    else if (child.type === 'free' || child.type === 'skip') child.body.fill(0, child.body.size, 0)
    else if (!['hdlr', 'keys', 'mhdr', 'ctry', 'lang'].includes(child.type)) child.discard()
  }
}

const mostKeys = 16_384

const keyNames = (keys: Bytes): string[] => {
  const names: string[] = []
  for (let at = 8; at + 8 <= keys.size && names.length < mostKeys;) {
    const size = keys.read(at, 4).readUInt32BE(0)
    if (size < 8 || at + size > keys.size) return keys.refuse()
    names.push(keys.read(at + 8, Math.min(size - 8, 512)).toString('latin1'))
    at += size
  }
  return names
}

const stripList = (list: Bytes, names: readonly string[]): void => {
  for (const item of looseBoxesOf(list)) {
    const name = names[Buffer.from(item.type, 'latin1').readUInt32BE(0) - 1] ?? item.type
    const holdsPicture = item.type === 'covr' && anyTextIn(item.body, (text) => /Exif\0\0|ns\.adobe\.com|Photoshop 3/.test(text))
    if (name !== 'free' && (namesPlace(name) || holdsPicture || anyTextIn(item.body, saysPlace) || anyTextIn(item.body, freeformPlace)))
      item.discard()
  }
}

/** The name of a freeform note. */
const freeformPlace = (text: string): boolean => /\0{4}(?:com\.[\w.]*)?(?:location|city|country|place)/i.test(text)

const xmpId = 'be7acfcb97a942e89c71999491e3afac'
/** Encryption, smooth streaming and how a spherical film is drawn. */
const neededIds: ReadonlySet<string> = new Set([
  'ffcc8263f8554a938814587a02521fdd',
  'a2394f525a9b4f14a2446c427c648df4',
  '8974dbce7be74c5184f97148f9882554',
  'd08a4f1810f34a82b6c832d8aba183d3',
  '6d1d9b0542d544e680e2141daff757b2',
  'd4807ef2ca3946958e5426cb9e46a79f',
])

const stripExtension = (box: Box, policy: MetadataPolicy): void => {
  const id = box.body.size >= 16 ? box.body.read(0, 16).toString('hex') : ''
  const content = partOf(box.body, 16)
  if (id === xmpId) stripXmp(content, policy)
  else if (!neededIds.has(id) || anyTextIn(content, saysPlace)) box.discard()
}

const mostBlocks = 262_144

/** A dashboard camera's table of where it wrote its fixes, and these. */
const stripDashboard = (box: Box, file: Bytes): void => {
  for (const { chunk } of stepsOf(box.body, 0, 8, 8 + Math.min(mostBlocks * 8, Math.max(0, box.body.size - 8)) - ((box.body.size - 8) % 8)))
    for (let at = 0; at + 8 <= chunk.length; at += 8) {
      const start = chunk.readUInt32BE(at)
      const isBlock = start + 16 <= file.size && file.read(start + 4, 8).toString('latin1') === 'freeGPS '
      if (isBlock) file.fill(start + 8, start + Math.min(chunk.readUInt32BE(at + 4), 1_048_576), 0)
    }
  box.discard()
}
