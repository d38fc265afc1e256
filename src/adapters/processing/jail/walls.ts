import type { Logger } from '../../../core/ports/logger.ts'
import type { Wall } from '../../../core/ports/jail.ts'
import type { Warm } from './decoder.ts'

/** What was found out while the first child of a jail was started. */
interface Found {
  readonly sandbox: { readonly stands: boolean; readonly means: string }
  readonly hasPrlimit: boolean
  readonly isOffered: boolean
  readonly warm: Warm
}

const withoutPrlimit = 'prlimit was not found: the memory of decoders is not limited; install util-linux'

/** Every wall of the jail, whether it stands, and in words what that means. */
export const wallsOf = ({ sandbox, hasPrlimit, isOffered, warm }: Found): Wall[] => [
  { name: 'sandbox', ...sandbox },
  { name: 'memory', stands: hasPrlimit, means: hasPrlimit ? 'memory follows the header of each file' : withoutPrlimit },
  {
    name: 'limits',
    stands: hasPrlimit,
    means: hasPrlimit
      ? 'CPU time, open files and the size of files are limited, and nothing leaves a core behind'
      : 'prlimit was not found: CPU time, open files and the size of files that decoders write are not limited; install util-linux',
  },
  loadersOf(warm),
  {
    name: 'oom',
    stands: isOffered,
    means: isOffered
      ? 'when memory runs out, the kernel takes decoders before anything else'
      : 'decoders could not be offered to the kernel for when memory runs out: /proc/PID/oom_score_adj has to be writable',
  },
]

const said = new Set<string>()

/** Says what does not stand, each once per process. What pictures want is said where it is missed. */
export const warnOf = (walls: readonly Wall[], logger: Logger): void => {
  for (const { name, stands, means } of walls) {
    if (stands || name === 'loaders' || said.has(means)) continue
    said.add(means)
    logger.warn({ event: 'wall_missing', wall: name }, means)
  }
}

const loadersOf = ({ versions, problem }: Warm): Wall => {
  if (versions === null) return { name: 'loaders', stands: true, means: 'no picture is opened: sharp is not installed (npm install sharp)' }
  if (problem !== null) return { name: 'loaders', stands: false, means: `no picture is opened: ${problem}` }
  return {
    name: 'loaders',
    stands: true,
    means: 'every loader of libvips is blocked but the one for the type that a file was recognised as',
  }
}
