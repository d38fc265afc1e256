import { statfsSync } from 'node:fs'
import { isRindleError, RindleError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports/logger.ts'
import type { Wall } from '../../../core/ports/jail.ts'
import type { VisitRequest } from '../attend.ts'
import { type ChildFolder, makeChildFolder } from './child-folder.ts'
import { startDecoder, type Decoder, type Outcome, type VisitLimits, type Warm } from './decoder.ts'
import { type Allowance, excessOf } from './excess.ts'
import { decoderEntry } from './launch.ts'
import { confine, type Confinement, isRunning, type JailLimits, offerToKernel, type Usage, usageOf } from './limits.ts'
import { failureHoldsMs, findSandbox, showFolders, type SandboxFound } from './sandbox.ts'
import { createTurns } from './turns.ts'
import { wallsOf, warnOf } from './walls.ts'

interface PoolOptions {
  /** How many children may work at the same time. */
  readonly concurrency: number
  readonly limits: JailLimits
  /** Path of the tool that limits a running process; null where there is none, and then memory is not limited. */
  readonly prlimit: string | null
  /** Path of the tool that puts a process into namespaces of its own; null where there is none. */
  readonly bubblewrap: string | null
  readonly scratchFolder: string
  readonly logger: Logger
  /** A child ends after so many visits … */
  readonly visitsPerChild: number
  /** … or when so much was decoded by it … */
  readonly bytesPerChild: number
  /** … or when it has grown to this much. */
  readonly maxResidentBytes: number
  readonly startTimeoutMs: number
  /** What Node.js is started with. */
  readonly nodeArguments: readonly string[]
}

/** What one visit is about: the file that it looks at lies in the child's folder by then. */
interface Visiting<T> {
  readonly visit: VisitRequest
  readonly byteSize: number
  readonly limits: Omit<VisitLimits, 'grant' | 'maxDecodeBytes' | 'excess'>
  /** Judges and takes away what was made. A child over whose words it throws `decoder_killed` is ended. */
  readonly collect: (outcome: Outcome, folder: ChildFolder) => Promise<T>
}

export interface Pool {
  /** Waits for a child, gives it the visit, and puts it back or ends it. @throws RindleError `decoder_unavailable` */
  visit<T>(visiting: Visiting<T>): Promise<T>
  /** Starts what is missing, of `children` at most. That it is closed meanwhile is no failure. @throws RindleError `decoder_unavailable` */
  warm(children?: number): Promise<void>
  /** What stands around children, and what they can open pictures with: found out with the first of them. @throws RindleError `decoder_unavailable` */
  found(): Promise<Standing>
  close(): Promise<void>
}

interface Standing {
  readonly walls: readonly Wall[]
  readonly warm: Warm
  readonly place: SandboxFound
}

const withoutSharp = 'decoders cannot open pictures, so they wait: npm install sharp, then start again'
const mebibyte = 1024 * 1024
/** What a child may have kept of its visits. Most of it is used again by the next one; the rest of what is spared for it is for what is not. */
const mostKeptBytes = 96 * mebibyte
/** A file beyond this, with room for what a rewriting adds, is looked at by a child of its own that may write as much. */
const rewriteSpareBytes = 64 * mebibyte
/** What all processes of a child may hold together besides what its own limit lets one of them have: a program that it runs has the same. */
const besideBytes = 256 * mebibyte
/** Names in a child's folder besides those of variants. */
const mostOtherEntries = 16
/** So often a folder shows whoever clears leftovers away that it is still in use. */
const stampMs = 10 * 60_000
/** So often children are looked at that have nothing to do. */
const idleLookMs = 10_000

interface Member {
  readonly decoder: Decoder
  readonly folder: ChildFolder
  readonly confinement: Confinement
  readonly warmUsage: Usage | null
  readonly limits: JailLimits
  readonly place: SandboxFound
  /** Its folder lies in memory: a file there that is mapped is memory that no file stands behind. */
  readonly isInMemory: boolean
  visits: number
  bytes: number
}

/** Warm children that are kept between visits. A visit waits its turn when all are busy. */
export const createPool = (options: PoolOptions): Pool => {
  const idle: Member[] = []
  const members = new Map<Decoder, ChildFolder>()
  const turns = createTurns(options.concurrency)
  /** Encoding takes minutes: nobody who wants to look at a file waits for it. */
  const encodingTurns = createTurns(options.concurrency)
  let closed = false
  const stamping = setInterval(() => members.forEach((folder) => folder.stamp()), stampMs)
  stamping.unref()
  const looking = setInterval(() => idle.splice(0).forEach(lookAgain), idleLookMs)
  looking.unref()

  const begin = async (place: SandboxFound, limits = options.limits): Promise<Member & Standing> => {
    refuseIfClosed()
    const folder = makeChildFolder(options.scratchFolder, { isApart: place.sandbox !== null, logger: options.logger })
    const decoder = startDecoder(place.sandbox, folder, options.nodeArguments)
    members.set(decoder, folder)
    try {
      const warm = await decoder.ready(options.startTimeoutMs)
      const isOffered = await offerToKernel(decoder.pid)
      const confinement = await confine(decoder.pid, {
        ...limits,
        prlimit: options.prlimit,
        isCountedApart: place.sandbox?.countsApart === true,
      })
      const sandbox = { stands: place.sandbox !== null, means: place.means }
      const walls = wallsOf({ sandbox, hasPrlimit: options.prlimit !== null, isOffered, warm })
      const isInMemory = statfsSync(folder.output).type === tmpfs
      return { decoder, folder, confinement, limits, warmUsage: usageOf(decoder.pid), visits: 0, bytes: 0, isInMemory, walls, warm, place }
    } catch (err) {
      await end(decoder)
      throw err
    }
  }
  /** The first child tells what stands. A sandbox that bubblewrap makes, but in which decoders do not work, is none. */
  const found = async (): Promise<Standing> => {
    const place = await findSandbox(options.bubblewrap, decoderEntry(), process.execPath)
    const first = await settled(begin(place))
    if (place.sandbox === null || (!('problem' in first) && first.warm.problem === null)) return founded(first)
    const problem = 'problem' in first ? wordsOf(first.problem) : first.warm.problem
    const without = await settled(begin({ sandbox: null, means: `decoders do not work in bubblewrap here (${problem}): ${showFolders}` }))
    const isBetter = !('problem' in without) && (without.warm.problem === null || 'problem' in first)
    for (const member of [first, without]) if (member !== (isBetter ? without : first) && !('problem' in member)) await end(member.decoder)
    return founded(isBetter ? without : first)
  }
  const founded = (first: (Member & Standing) | Failed): Standing => {
    if ('problem' in first) throw first.problem
    const { problem } = first.warm
    if (problem !== null) options.logger.warn({ event: 'pictures_unopened', problem }, withoutSharp)
    warnOf(first.walls, options.logger)
    keep(first)
    return first
  }
  let finding: Promise<Standing> | null = null
  const standing = (): Promise<Standing> => {
    finding ??= found()
      .finally(() => (triedMs = performance.now()))
      .catch((err: unknown) => {
        finding = null
        throw err
      })
    return finding
  }
  /** What stands without a sandbox that bubblewrap could make is looked at again, at most once a minute. Until that is better it holds. */
  let triedMs = 0
  let retrying: Promise<void> | null = null
  const retry = ({ place }: Standing): void => {
    if (options.bubblewrap === null || place.sandbox !== null || performance.now() - triedMs < failureHoldsMs) return
    retrying ??= better()
      .catch(() => undefined)
      .finally(() => {
        triedMs = performance.now()
        retrying = null
      })
  }
  const better = async (): Promise<void> => {
    const place = await findSandbox(options.bubblewrap, decoderEntry(), process.execPath)
    if (place.sandbox === null) return
    const member = await begin(place)
    if (member.warm.problem !== null) return end(member.decoder)
    await Promise.all(idle.splice(0).map(({ decoder }) => end(decoder)))
    finding = Promise.resolve(founded(member))
  }
  const lookAgain = (member: Member): void => {
    const reason = excessOfMember(member, nothingToDo)
    if (reason === null) return void idle.push(member)
    options.logger.warn({ event: 'idle_decoder_ended', reason }, 'a decoder was ended that had nothing to do')
    void end(member.decoder).catch(() => undefined)
  }
  const start = async (limits = options.limits): Promise<Member> => begin((await standing()).place, limits)
  const ending = new Map<Decoder, Promise<void>>()
  /** Whoever asks for it again waits for the same end. */
  const end = (decoder: Decoder): Promise<void> => {
    const ended = ending.get(decoder) ?? endNow(decoder).finally(() => ending.delete(decoder))
    ending.set(decoder, ended)
    return ended
  }
  const endNow = async (decoder: Decoder): Promise<void> => {
    await decoder.kill()
    await members.get(decoder)?.remove()
    members.delete(decoder)
  }
  const take = async ({ visit, byteSize }: Pick<Visiting<unknown>, 'visit' | 'byteSize'>, mayBeUsed: boolean): Promise<Member> => {
    const { cpuSeconds, outputBytes } = visit.encoding ?? { cpuSeconds: 0, outputBytes: 0 }
    const wanted = { maxFileBytes: Math.max(byteSize + rewriteSpareBytes, outputBytes), cpuSeconds }
    const { maxFileBytes } = options.limits
    if (visit.encoding) return start(largerOf(options.limits, wanted))
    if (wanted.maxFileBytes > maxFileBytes) {
      const spare = idle.pop()
      if (spare) await end(spare.decoder)
      return start(largerOf(options.limits, wanted))
    }
    retry(await standing())
    for (;;) {
      const at = mayBeUsed ? idle.length - 1 : idle.findLastIndex(({ visits }) => visits === 0)
      const [member] = at < 0 ? [] : idle.splice(at, 1)
      if (member?.decoder.alive && isRunning(member.decoder.pid) && member.folder.exists()) return member
      if (member) await end(member.decoder)
      else if (replacing) await replacing
      else return start()
    }
  }
  /** Who was started while others were may be one too many. */
  let leaving = 0
  const keep = (member: Member): void => {
    if (closed) return
    if (members.size - leaving <= options.concurrency) return void idle.push(member)
    leaving += 1
    void end(member.decoder)
      .catch(() => undefined)
      .finally(() => (leaving -= 1))
  }
  /** One at a time, in the background: who comes next waits for it, or finds it warm. One that does not start is tried again by who needs it. */
  let replacing: Promise<void> | null = null
  const replace = (): void => {
    if (closed || replacing || members.size >= options.concurrency) return
    replacing = start()
      .then(keep, () => undefined)
      .finally(() => (replacing = null))
  }
  const isOutdated = async ({ place }: Member): Promise<boolean> => place.sandbox !== (await standing()).place.sandbox
  const giveBack = async (member: Member): Promise<void> => {
    if (closed || !member.decoder.alive || isWorn(member, options) || (await isOutdated(member)) || !member.folder.empty()) {
      await end(member.decoder)
      return replace()
    }
    member.confinement.retract()
    keep(member)
  }
  const refuseIfClosed = (): void => {
    if (closed) throw new RindleError('decoder_unavailable', { problem: 'the jail was closed' })
  }
  const lend = async <T>(member: Member, { visit, byteSize, limits, collect }: Visiting<T>): Promise<T | typeof short> => {
    const { decoder, folder, confinement } = member
    const { maxDecodeBytes } = options.limits
    let needed = 0
    const grant = (bytes: number): Promise<void> => {
      needed = Math.max(needed, bytes)
      return confinement.grant(needed)
    }
    await grant(0)
    const isFirst = member.visits === 0
    const request = { ...visit, path: await folder.bringIn(visit.path), folder: folder.output }
    const excess = (): string | null => excessOfMember(member, { byteSize, variants: visit.variants.length })
    const outcome = await decoder.ask(request, { ...limits, maxDecodeBytes, grant, excess })
    member.visits += 1
    member.bytes += Math.max(needed, byteSize)
    if (outcome.kind === 'killed' || outcome.kind === 'starved') refuseIfClosed()
    return !isFirst && isShort(outcome) ? short : collect(outcome, folder)
  }
  const visitBy = async <T>(member: Member, visiting: Visiting<T>): Promise<T | typeof short> => {
    try {
      visiting.limits.signal?.throwIfAborted()
      const said = await lend(member, visiting)
      if (said === short) await end(member.decoder)
      return said
    } catch (err) {
      if (isRindleError(err) && err.code === 'decoder_killed') await end(member.decoder)
      throw err
    } finally {
      await giveBack(member)
    }
  }

  return {
    visit: async (visiting) => {
      const { signal } = visiting.limits
      const leave = await (visiting.visit.encoding ? encodingTurns : turns).enter(signal)
      try {
        refuseIfClosed()
        for (let mayBeUsed = true; ; mayBeUsed = false) {
          const said = await visitBy(await take(visiting, mayBeUsed), visiting)
          if (said !== short) return said
        }
      } finally {
        leave()
      }
    },
    warm: async (children = options.concurrency) => {
      refuseIfClosed()
      try {
        await standing()
        await replacing
        const missing = Math.max(0, Math.min(children, options.concurrency) - members.size)
        for (const member of await Promise.all(Array.from({ length: missing }, () => start()))) keep(member)
      } catch (err) {
        if (!closed) throw err
      }
    },
    found: async () => {
      refuseIfClosed()
      retry(await standing())
      await retrying
      return standing()
    },
    close: async () => {
      closed = true
      clearInterval(stamping)
      clearInterval(looking)
      await Promise.all([...members.keys()].map(end))
      idle.length = 0
    },
  }
}

const largerOf = (limits: JailLimits, { maxFileBytes, cpuSeconds }: Pick<JailLimits, 'maxFileBytes' | 'cpuSeconds'>): JailLimits => ({
  ...limits,
  maxFileBytes: Math.max(limits.maxFileBytes, maxFileBytes),
  cpuSeconds: Math.max(limits.cpuSeconds, cpuSeconds),
})

const tmpfs = 0x01021994

/** What a visit is about, as far as what it may take depends on it. */
interface Occasion {
  readonly byteSize: number
  readonly variants: number
}

const nothingToDo: Occasion = { byteSize: 0, variants: 0 }

/**
 * A rewriting may take two copies of the file, each with what it adds; pixels that lie on the disk for a moment and variants take no more than
 * one file may.
 */
const allowanceOf = ({ confinement, limits, isInMemory }: Member, { byteSize, variants }: Occasion): Allowance => {
  const diskBytes = 2 * (byteSize + rewriteSpareBytes) + limits.maxFileBytes
  const memoryBytes = confinement.dataBytes + besideBytes + (isInMemory ? byteSize + diskBytes : 0)
  return { memoryBytes, diskBytes, entries: variants + mostOtherEntries }
}

const excessOfMember = (member: Member, occasion: Occasion): string | null => {
  const { decoder, folder } = member
  return excessOf({ pid: decoder.pid, table: decoder.table, output: folder.output }, allowanceOf(member, occasion))
}

/** What a used child says for want of memory that a fresh one may have. */
const short = Symbol('short of memory')

const isShort = (outcome: Outcome): boolean =>
  outcome.kind === 'failure' && outcome.code === 'decode_too_large' && outcome.details['neededBytes'] === null

interface Failed {
  readonly problem: unknown
}

const settled = <T>(work: Promise<T>): Promise<T | Failed> => work.catch((problem: unknown) => ({ problem }))

const wordsOf = (problem: unknown): string =>
  isRindleError(problem) && problem.code === 'decoder_unavailable' ? problem.details.problem : 'unknown'

const isWorn = ({ decoder, visits, bytes, warmUsage, limits }: Member, options: PoolOptions): boolean => {
  if (visits >= options.visitsPerChild || bytes >= options.bytesPerChild || limits !== options.limits) return true
  const now = usageOf(decoder.pid)
  if (now === null || warmUsage === null) return false
  const isGrown = now.residentBytes > options.maxResidentBytes || now.dataBytes > warmUsage.dataBytes + mostKeptBytes
  return isGrown || now.cpuSeconds > limits.cpuSeconds / 2
}
