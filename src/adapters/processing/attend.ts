import { decodableImageTypes, extensionIn, extensionOf, isTextType, kindOf, playableTypes } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import { unplayed } from '../../core/played.ts'
import type { Excerpt, Facts, MadeVariant, Rewritten, Verdict, Visit } from '../../core/ports/jail.ts'
import { attendAv, buildAv } from './av/attend-av.ts'
import { avifType, readableAvif } from './image/avif-still.ts'
import { decodeOtherFrames, decodeStill } from './image/decode.ts'
import { framesIn } from './image/frames.ts'
import { checkLimits, decodeProblem, readHeader, type Source } from './image/header.ts'
import { heicType, withHeicPixels } from './image/heic.ts'
import { decodeSizeOf, makeImageVariants, placeholderOf } from './image/image.ts'
import { isRefusal } from './metadata/bytes.ts'
import { stripMetadata } from './metadata/strip.ts'
import { growing, heldBesides, openingNeed, webpHeaderNeed } from './image/need.ts'
import type { Raw } from './image/raw.ts'
import { withLoader } from './image/sharp.ts'
import { identify, isUtf8Text, sniff, type Identity, type Sniffed } from './sniff.ts'
import { readSvg, svgType } from './image/svg.ts'
import { announcedBy } from './image/webp.ts'

/** A visit as it travels to the child: all but the signal, which the parent watches, and the reading, which it does. */
export type VisitRequest = Omit<Visit, 'signal' | 'excerpt' | 'onProgress'> & { readonly excerpt?: Omit<Excerpt, 'read'> | undefined }
/** What the child can ask of its parent in the middle of a visit. */
export interface Parent {
  /** Brings bytes of a file of which only the beginning lies here. */
  readonly read: Excerpt['read']
  /** Asks for the memory that a decode needs on top of a warm child; it is there when this settles. To be called before the decode, with what the header says. */
  readonly need: (bytes: number) => Promise<void>
  /** Says that the file was looked at and decoded, so that the shorter of the two wall clocks stops. */
  readonly gated: () => void
  /** Says from 0 to 1 how far the variants are. */
  readonly progress: (fraction: number) => void
}

export type Passed = Extract<Verdict, { verdict: 'pass' }>

/**
 * One visit to one file, in the child: what the bytes are, whether they may come in, and the variants, from one decode.
 *
 * @throws RindleError every verdict of the gate that bytes can earn; `peer_missing` without sharp. Anything else is a fault.
 */
export const attend = async (visit: VisitRequest, parent: Parent): Promise<Passed> => {
  const { read } = parent
  const started = process.cpuUsage()
  const identity = await identityOf(visit, read)
  if (visit.profileKind === 'file') {
    if (isTextType(identity.contentType) && !(visit.excerpt ? visit.excerpt.isText : await isUtf8Text(visit.path)))
      throw new RindleError('type_unknown', {})
    return passed(started, null, factsOf(identity), [])
  }
  const need = growing(parent.need)
  if (playableTypes.has(identity.contentType)) {
    if (visit.purpose === 'build') return passed(started, null, factsOf(identity), await buildAv(visit, identity.contentType, parent))
    if (visit.purpose === 'measure') return passed(started, null, factsOf(identity), [])
    const metadata = metadataOf(visit, identity.contentType)
    const { contentType, facts, rewritten } = await attendAv(visit, identity.contentType, parent.need, metadata.takeOut)
    metadata.refuse()
    parent.gated()
    const { extension } = contentType === identity.contentType ? identity : judge(visit, { contentType, extension: null })
    return passed(started, null, { ...factsOf(identity), contentType, extension, ...facts }, [], rewritten)
  }
  return withLoader(identity.contentType, async (sharp) => {
    const { folder, limits } = visit
    const wishes = visit.variants.flatMap(({ name, recipe }) => (recipe.kind === 'image' ? [{ name, recipe }] : []))
    const open = async (from: string): Promise<Source> => {
      if (identity.contentType === svgType) return readSvg(from)
      return identity.contentType === avifType ? readableAvif(from, folder) : from
    }
    if (identity.contentType === webpType) await makeRoomForWebp(visit, need)
    const header = await readHeader(sharp, await open(visit.path), identity.contentType)
    const frames = visit.purpose === 'build' ? header.frames : await framesIn(visit.path, header)
    if (visit.purpose === 'gate') checkLimits({ ...header, frames }, limits)
    const metadata = metadataOf(visit, identity.contentType)
    const rewritten = await metadata.takeOut()
    const path = rewritten?.path ?? visit.path
    const source = await open(path)
    const size = decodeSizeOf(header, wishes)
    await need(openingNeed(header, await heldBesides(path, header), size))
    const draw = (from: Source): Promise<Raw> => decodeStill(sharp, from, header, size)
    const head = header.contentType === heicType ? await withHeicPixels(path, folder, header, draw) : await draw(source)
    if (visit.purpose !== 'build') await decodeOtherFrames(sharp, path, header, limits)
    metadata.refuse()
    parent.gated()
    const gateCpuMs = cpuMsSince(started)
    const facts = { ...factsOf(identity), width: header.width, height: header.height, frames, hasAlpha: header.hasAlpha }
    const { variants, copies } = await makeImageVariants(sharp, { path, folder, header, wishes, need }, head)
    const drawn = visit.purpose === 'gate' ? await placeholderOf(sharp, copies) : {}
    return passed(started, gateCpuMs, { ...facts, ...drawn }, variants, rewritten)
  })
}

const webpType = 'image/webp'

/** @throws RindleError `decode_failed`, `decode_too_large`, and what `checkLimits` finds */
const makeRoomForWebp = async ({ path, purpose, limits }: VisitRequest, need: Parent['need']): Promise<void> => {
  const announced = announcedBy(path)
  if (!announced) throw decodeProblem(webpType, null)
  if (purpose === 'gate') checkLimits(announced, limits)
  await need(webpHeaderNeed(announced))
}

/**
 * What is taken out is taken out before anything is decoded, so that what was decoded is what is served. A file in which nothing is found
 * may be broken as a picture, which is the truer thing to say of it: `refuse` waits until the decoder has spoken.
 */
const metadataOf = (visit: VisitRequest, contentType: string): { takeOut(): Promise<Rewritten | null>; refuse(): void } => {
  const { path, folder, purpose, limits, metadata: policy } = visit
  let refusal: unknown = null
  return {
    takeOut: async () => {
      if (purpose !== 'gate') return null
      try {
        return await stripMetadata({ path, folder, contentType, policy, timeoutMs: limits.gateTimeoutMs })
      } catch (err) {
        if (!isRefusal(err)) throw err
        refusal = err
        return null
      }
    },
    refuse: () => {
      if (refusal) throw refusal
    },
  }
}

const identityOf = async (visit: VisitRequest, read: Excerpt['read']): Promise<Identity> => {
  const sniffed = await sniff(visit.path, visit.excerpt && { sizeBytes: visit.excerpt.sizeBytes, read })
  const mime = sniffed.contentType
  if (visit.purpose !== 'gate') {
    const isMade = visit.purpose === 'measure'
    if (mime === null || (isMade && !decodableImageTypes.has(mime))) throw new RindleError('type_unknown', {})
    return { kind: kindOf(mime), contentType: mime, extension: extensionOf(mime) ?? '' }
  }
  return judge(visit, sniffed)
}

const judge = (visit: VisitRequest, sniffed: Sniffed): Identity => {
  const opens = (type: string): boolean =>
    decodableImageTypes.has(type) || playableTypes.has(type) || (type === svgType && visit.svg === 'rasterize')
  const allowMime = visit.profileKind === 'file' ? visit.allowMime : visit.allowMime.filter(opens)
  return identify(sniffed, { ...visit, allowMime, extension: extensionIn(visit.filename) })
}

const factsOf = (identity: Identity): Facts => ({
  ...identity,
  width: null,
  height: null,
  frames: null,
  hasAlpha: null,
  ...unplayed,
  placeholder: null,
  dominantColor: null,
})

const passed = (
  started: NodeJS.CpuUsage,
  gateCpuMs: number | null,
  facts: Facts,
  variants: readonly MadeVariant[],
  rewritten: Rewritten | null = null,
): Passed => {
  const cpuMs = cpuMsSince(started)
  return { verdict: 'pass', facts, rewritten, variants, figures: { gateCpuMs: gateCpuMs ?? cpuMs, cpuMs } }
}

const cpuMsSince = (started: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(started)
  return Math.round((user + system) / 100) / 10
}
