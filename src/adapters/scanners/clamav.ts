import { isRindleError, RindleError } from '../../core/errors.ts'
import type { FileUnderGate } from '../../core/ports/file-under-gate.ts'
import type { Scanner } from '../../core/ports/scanner.ts'
import { judge, type Judgement, overItsLimits, versionIn } from './clamav/answer.ts'
import { announceFile, type Heard, sendCommand, sendFile } from './clamav/conversation.ts'
import { nestedTooDeep } from './clamav/nested.ts'
import { type ClamavOptions, type ClamavSettings, settingsOf } from './clamav/options.ts'

export type { ClamavOptions } from './clamav/options.ts'

const name = 'clamav'

/**
 * Has every file looked through by ClamAV's daemon, by INSTREAM over TCP or a Unix socket: the bytes go there as a stream, so that clamd
 * needs no access to this machine's disk, and one chunk at a time is in memory.
 *
 * Only `stream: OK` for all of the bytes is a yes. And since a clamd that is left at its defaults says so, too, of what it skipped because it
 * lay over one of its limits, each yes is believed only of a clamd that raises alarm about those: `AlertExceedsMax yes` in clamd.conf.
 *
 * Spoken by hand because of the two clients on npm clamdjs cannot be aborted and gives up after five silent seconds, and clamscan
 * takes no notice of back-pressure, cannot be aborted either, and answers with null where it does not know.
 *
 * @throws RindleError `argument_invalid`. Scans throw `scanner_unavailable` whenever clamd does not answer for the file, `scan_limit_exceeded`
 * for what it can never look through, and the reason of the signal
 */
export const clamav = (options: ClamavOptions = {}): Scanner => {
  const settings = settingsOf(options)
  const { address, timeoutSeconds, maxBytes } = settings
  return {
    name,
    timeoutSeconds,

    async scan(file) {
      file.signal.throwIfAborted()
      if (file.byteSize > maxBytes) throw new RindleError('scan_limit_exceeded', { scanner: name, maxBytes })
      const verdict = await withinTime(settings, file.signal, (signal) => ask(settings, file, signal))
      if (verdict.is === 'found') return { clean: false, threat: verdict.threat }
      if (verdict.is === 'clean') return { clean: true }
      if (verdict.is === 'limit') throw new RindleError('scan_limit_exceeded', { scanner: name, maxBytes: null })
      throw new RindleError('scanner_unavailable', { scanner: name, problem: verdict.problem })
    },

    check: ({ signal: given }) =>
      withinTime(settings, given, async (signal) => {
        const pong = await sendCommand(address, 'PING', signal)
        const version = versionIn((await sendCommand(address, 'VERSION', signal)).words)
        const problem = pong.words !== 'PONG\0' || version === null ? 'its answer is none of clamd’s' : await passesOver(settings, signal)
        if (problem !== null) throw new RindleError('scanner_unavailable', { scanner: name, problem })
        return settings.overLimits === 'hold'
          ? `${version}; it raises alarm over its limits`
          : `${version}; what lies over its limits passes`
      }),
  }
}

const ask = async (settings: ClamavSettings, file: FileUnderGate, signal: AbortSignal): Promise<Judgement> => {
  const { words, isWhole, sentBytes } = await sendFile(settings.address, file.stream(), signal).catch(async (err: unknown) => {
    const objection = isCut(err) ? await objectionTo(settings, file, signal) : null
    if (objection === null) throw err
    return objection
  })
  const verdict = judge({ words, isWhole: isWhole && sentBytes === file.byteSize })
  const problem = verdict.is === 'clean' ? await passesOver(settings, signal) : null
  return problem === null ? verdict : { is: 'doubt', problem }
}

/**
 * What clamd may have said of the size before the connection broke: it closes with bytes of the file unread, and its words are then lost to
 * whoever is still sending. So it is asked again, for nothing but that.
 */
const objectionTo = async ({ address }: ClamavSettings, file: FileUnderGate, signal: AbortSignal): Promise<Heard | null> => {
  signal.throwIfAborted()
  const heard = await announceFile(address, file.byteSize, signal)
  return heard !== null && judge(heard).is === 'limit' ? heard : null
}

const isCut = (err: unknown): boolean =>
  isRindleError(err) && err.cause instanceof Error && 'code' in err.cause && (err.cause.code === 'EPIPE' || err.cause.code === 'ECONNRESET')

/** What is wrong with a clamd that says yes to what it has not looked through; null where that is wanted, or it does not. */
const passesOver = async (settings: ClamavSettings, signal: AbortSignal): Promise<string | null> => {
  if (settings.overLimits === 'pass') return null
  const verdict = judge(await sendFile(settings.address, new Blob([nestedTooDeep()]).stream(), signal))
  if (verdict.is === 'limit') return null
  return verdict.is === 'doubt' ? verdict.problem : overItsLimits
}

/** Ends what `run` does at the latest when its time is over. What comes out is one of our own errors, or the reason of the signal. */
const withinTime = async <T>(
  { timeoutSeconds }: ClamavSettings,
  given: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const patience = AbortSignal.timeout(timeoutSeconds * 1000)
  try {
    return await run(AbortSignal.any([given, patience]))
  } catch (err) {
    if (given.aborted) throw given.reason
    if (!patience.aborted) throw err
    throw new RindleError('scanner_unavailable', { scanner: name, problem: `no answer within ${timeoutSeconds} seconds` })
  }
}
