import { decodableImageTypes, extensionIn, extensionOf, isTextType, kindOf, playableTypes } from '../../core/content-type.ts'
import { RindleError } from '../../core/errors.ts'
import type { Excerpt, Facts, MadeVariant, Verdict, Visit } from '../../core/ports/jail.ts'
import { attendAv } from './av/attend-av.ts'
import { decodeOtherFrames, decodeStill } from './decode.ts'
import { checkLimits, readHeader } from './header.ts'
import { decodeSizeOf, makeImageVariants, placeholderOf } from './image.ts'
import { withLoader } from './sharp.ts'
import { identify, isUtf8Text, sniff, type Identity, type Sniffed } from './sniff.ts'

/** A visit as it travels to the child: all but the signal, which the parent watches, and the reading, which it does. */
export type VisitRequest = Omit<Visit, 'signal' | 'excerpt'> & { readonly excerpt?: Omit<Excerpt, 'read'> | undefined }
/** What the child can ask of its parent in the middle of a visit. */
export interface Parent {
  /** Brings bytes of a file of which only the beginning lies here. */
  readonly read: Excerpt['read']
  /** Asks for the memory that a decode needs on top of a warm child; it is there when this settles. To be called before the decode, with what the header says. */
  readonly need: (bytes: number) => Promise<void>
  /** Says that the file was looked at and decoded, so that the shorter of the two wall clocks stops. */
  readonly gated: () => void
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
  if (playableTypes.has(identity.contentType)) {
    const { contentType, facts } = await attendAv(visit, identity.contentType, parent.need)
    parent.gated()
    const { extension } = contentType === identity.contentType ? identity : judge(visit, { contentType, extension: null })
    return passed(started, null, { ...factsOf(identity), contentType, extension, ...facts }, [])
  }
  return withLoader(identity.contentType, async (sharp) => {
    const { path, folder, limits, variants: wishes } = visit
    const header = await readHeader(sharp, path, identity.contentType)
    if (visit.purpose === 'gate') checkLimits(header, limits)
    const head = await decodeStill(sharp, path, header, decodeSizeOf(header, wishes))
    if (visit.purpose === 'gate') await decodeOtherFrames(sharp, path, header, limits)
    parent.gated()
    const gateCpuMs = cpuMsSince(started)
    const facts = { ...factsOf(identity), width: header.width, height: header.height, frames: header.frames, hasAlpha: header.hasAlpha }
    const { variants, copies } = await makeImageVariants(sharp, { path, folder, header, wishes }, head)
    const drawn = visit.purpose === 'gate' ? await placeholderOf(sharp, copies) : {}
    return passed(started, gateCpuMs, { ...facts, ...drawn }, variants)
  })
}

const identityOf = async (visit: VisitRequest, read: Excerpt['read']): Promise<Identity> => {
  const sniffed = await sniff(visit.path, visit.excerpt && { sizeBytes: visit.excerpt.sizeBytes, read })
  const mime = sniffed.contentType
  if (visit.purpose === 'build') {
    if (mime === null) throw new RindleError('type_unknown', {})
    return { kind: kindOf(mime), contentType: mime, extension: extensionOf(mime) ?? '' }
  }
  return judge(visit, sniffed)
}

const judge = (visit: VisitRequest, sniffed: Sniffed): Identity => {
  const opens = (type: string): boolean => decodableImageTypes.has(type) || playableTypes.has(type)
  const allowMime = visit.profileKind === 'file' ? visit.allowMime : visit.allowMime.filter(opens)
  return identify(sniffed, { ...visit, allowMime, extension: extensionIn(visit.filename) })
}

const factsOf = (identity: Identity): Facts => ({
  ...identity,
  width: null,
  height: null,
  frames: null,
  hasAlpha: null,
  durationMs: null,
  hasVideoTrack: null,
  hasAudioTrack: null,
  placeholder: null,
  dominantColor: null,
})

const passed = (started: NodeJS.CpuUsage, gateCpuMs: number | null, facts: Facts, variants: readonly MadeVariant[]): Passed => {
  const cpuMs = cpuMsSince(started)
  return { verdict: 'pass', facts, rewritten: null, variants, figures: { gateCpuMs: gateCpuMs ?? cpuMs, cpuMs } }
}

const cpuMsSince = (started: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(started)
  return Math.round((user + system) / 100) / 10
}
