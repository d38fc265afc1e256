import { execFile } from 'node:child_process'
import { release } from 'node:os'
import { promisify } from 'node:util'
import { oneLine } from '../../../core/app-code.ts'
import { isOlder } from '../../../core/is-older.ts'
import type { ChildFolder } from './child-folder.ts'
import { viewFor, type View } from './view.ts'

/** Runs a program where there is no network and nothing of this machine but what is shown. */
export interface Sandbox {
  readonly program: string
  /** Users inside are counted apart from the same outside, as kernels do since 5.14. */
  readonly countsApart: boolean
  /** What comes before the command and its arguments. The report of its pid goes to `pidDescriptor`. */
  argumentsFor(folder: ChildFolder): string[]
}

export interface SandboxFound {
  readonly sandbox: Sandbox | null
  /** One sentence: what stands, or what is missing and how to get it. */
  readonly means: string
}

export const pidDescriptor = 4

const tmpBytes = 16 * 1024 * 1024
/** A machine may have been out of processes or of memory for a moment. */
export const failureHoldsMs = 60_000
const install = 'apt-get install bubblewrap'
const sandboxStands = 'decoders see no network, no other process, and no file but the one they look at'
/** Where bubblewrap starts, but no decoder in it. */
export const showFolders = 'look whether scratchFolder and the folder of this package can be bound into it; it is tried again in a minute'
const allowNamespaces =
  'allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0), and in a container the rights to make them and to mount /proc'

/** Finds out by running it whether bubblewrap works here. Once per process and program; that it does not is believed for a minute. */
export const findSandbox = (program: string | null, entry: string, node: string): Promise<SandboxFound> => {
  if (program === null) return Promise.resolve({ sandbox: null, means: `bubblewrap was not found: ${install}` })
  const known = found.get(program)
  if (known) return known
  const asked = tryOut(program, entry, node)
  found.set(program, asked)
  void asked.then(({ sandbox }) => {
    if (sandbox === null) setTimeout(() => found.delete(program), failureHoldsMs).unref()
  })
  return asked
}

const found = new Map<string, Promise<SandboxFound>>()

/** Where the first does not work the second may: a kernel that lets nobody, or only root, make namespaces for users. */
const variants: readonly (readonly string[])[] = [['--unshare-user', '--disable-userns'], []]

const tryOut = async (program: string, entry: string, node: string): Promise<SandboxFound> => {
  let problem = ''
  const view = viewFor(entry, node)
  for (const variant of variants) {
    const walls = [...variant, ...wallsOf(view)]
    try {
      await promisify(execFile)(program, [...walls, '--', node, '--version'], { env: {}, cwd: '/', timeout: 10_000 })
      const countsApart = variant.includes('--unshare-user') && !isOlder(release(), '5.14')
      return { sandbox: sandboxOf(program, walls, countsApart), means: sandboxStands }
    } catch (err) {
      problem ||= wordsOf(err)
    }
  }
  return { sandbox: null, means: `bubblewrap does not start here (${problem}): ${allowNamespaces}` }
}

const wordsOf = (err: unknown): string => {
  if (!(err instanceof Error)) return 'it said nothing'
  const said = 'stderr' in err && typeof err.stderr === 'string' ? err.stderr.trim().split('\n')[0] : ''
  return oneLine(said ?? '') || ('code' in err ? String(err.code) : '') || 'it said nothing'
}

const wallsOf = ({ places, links }: View): string[] => [
  ...['--unshare-all', '--die-with-parent', '--as-pid-1', '--new-session', '--cap-drop', 'ALL', '--hostname', 'decoder'],
  ...['--proc', '/proc', '--dev', '/dev', '--size', String(tmpBytes), '--tmpfs', '/tmp'],
  ...places.flatMap((path) => ['--ro-bind', path, path]),
  ...links.flatMap(({ at, to }) => ['--symlink', to, at]),
]

const sandboxOf = (program: string, walls: readonly string[], countsApart: boolean): Sandbox => ({
  program,
  countsApart,
  argumentsFor: ({ input, output }) => [
    ...walls,
    ...['--ro-bind', input, input, '--bind', output, output],
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/', '--info-fd', String(pidDescriptor), '--'],
  ],
})
