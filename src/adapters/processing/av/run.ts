import { RindleError } from '../../../core/errors.ts'
import { inputArguments, quietArguments } from './input.ts'
import { type ProgramLimits, type ProgramRun, runProgram } from './program.ts'

/** A file that nobody trusts, and the canonical type that the sniffer found. */
export interface AvInput {
  readonly path: string
  readonly contentType: string
  /** Options of the input: `['-ss', '3']`. */
  readonly options?: readonly string[]
}

/** ffprobe's answer to `ask` (`-show_streams` and its like). @throws RindleError `program_missing`, `peer_outdated`, `decoder_killed` */
export const runFfprobe = (input: AvInput, ask: readonly string[], limits: ProgramLimits): Promise<ProgramRun> =>
  unharmed('ffprobe', [...quietArguments, ...optionsOf(input), ...ask], limits)

/**
 * ffmpeg from one file to what `output` says, its options and then its name (`['-map', '0', '-c', 'copy', 'file:/…/out.webm']`). A status other than
 * 0 is the file's fault, or that of the arguments.
 *
 * @throws RindleError `program_missing`, `peer_outdated`, `decoder_killed`
 */
export const runFfmpeg = (input: AvInput, output: readonly string[], limits: ProgramLimits): Promise<ProgramRun> =>
  unharmed('ffmpeg', ['-nostdin', '-y', ...quietArguments, ...optionsOf(input), ...output], limits)

const optionsOf = ({ path, contentType, options = [] }: AvInput): string[] => [...options, ...inputArguments(path, contentType)]

/**
 * ffmpeg ends by itself when a signal tells it to, as whoever stops a service or is short of memory may, and no file is to blame: with a status of its
 * own, or in words while it opens a file or has not one picture yet for an animation.
 */
const wasTold = ({ status, complaints }: ProgramRun): boolean =>
  status === 255 || (status !== 0 && /Immediate exit requested|WebPAnimEncoderAssemble\(\) failed/.test(complaints))

/** A program that a signal ended, other than at its time, was ended by the file, as a decoder of pictures would have been, or by somebody else. */
const unharmed = async (name: 'ffmpeg' | 'ffprobe', args: readonly string[], limits: ProgramLimits): Promise<ProgramRun> => {
  const run = await runProgram(name, args, limits)
  if ((run.status === null || wasTold(run)) && !run.ranOut && !run.wroteTooMuch)
    throw new RindleError('decoder_killed', { reason: `${name} died` })
  return run
}
