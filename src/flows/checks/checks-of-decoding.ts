import { undecodable } from '../../core/decoding-needs.ts'
import { oldestOf } from '../../core/decoding-packages.ts'
import { type Check, fine, problem, type Saying, warning } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import { isOlder } from '../../core/is-older.ts'
import type { Scanner } from '../../core/ports/scanner.ts'
import type { Examined } from './examined.ts'

const scannerWithinMs = 10_000

/** What files are opened with and looked through by. */
export const checksOfDecoding: readonly Check<Examined>[] = [
  {
    name: 'jail',
    means: 'Every wall around the decoders stands; with jail: require one that does not is a problem.',
    uses: ['scratch'],
    async look({ report, wallsRequired }) {
      const missing = wallsRequired ? problem : warning
      return (await report()).walls.map(({ name, stands, means }) =>
        stands ? fine(means, name) : missing(`This wall does not stand: ${name}.`, means, name),
      )
    },
  },
  {
    name: 'decoders',
    means: 'Their versions; one that is not there, or too old, is a problem only to a profile that needs it.',
    uses: ['scratch', 'jail'],
    async look({ report }) {
      const { versions } = await report()
      return Object.entries(versions).map(([name, version]) => versionSaid(name, version))
    },
  },
  {
    name: 'types',
    means: 'Each type that a profile takes is opened here, and rewritten where it has to be: a file of each kind was decoded a moment ago.',
    uses: ['scratch', 'jail'],
    async look({ report, profiles }) {
      const unmet = undecodable(profiles, await report())
      return Object.entries(profiles).flatMap(([name, { kind }]) => {
        if (kind === 'file') return [fine('Its files are not opened.', name)]
        const own = unmet.filter(({ profile }) => profile === name)
        return own.length === 0
          ? [fine('Every type that it takes is opened here.', name)]
          : own.map(({ contentType, error }) => problem(error.message, toOpen, `${name} ${contentType}`))
      })
    },
  },
  {
    name: 'scanners',
    means: 'Each says that it answers; while one does not, files that it has to look through wait.',
    async look({ profiles }) {
      const scanners = new Set(Object.values(profiles).flatMap((profile) => profile.scanners))
      return scanners.size === 0 ? [fine('No profile has a scanner.')] : Promise.all([...scanners].map(lookAtScanner))
    },
  },
]

const versionSaid = (name: string, version: string | null): Saying => {
  if (version === null) return fine('Not there.', name)
  const needed = Object.entries(oldestOf).find(([one]) => one === name)?.[1]
  if (needed === undefined || !isOlder(version, needed)) return fine(`Version ${version}.`, name)
  return warning(`Version ${version} is not used: ${needed} or later is.`, `Install ${needed} or later where workers run.`, name)
}

const toOpen = 'Install it where workers run, and look again; or leave the type out of allowMime.'

const lookAtScanner = async (scanner: Scanner): Promise<Saying> => {
  const { name } = scanner
  if (!scanner.check) return fine('It cannot be asked whether it answers: it has no check().', name)
  const cure = 'Start it, or correct its address. Files wait at the gate until it answers; none passes unseen.'
  const signal = AbortSignal.timeout(scannerWithinMs)
  const late = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }))
  try {
    const said = await Promise.race([scanner.check({ signal }), late])
    return said === null ? problem(`It did not answer within ${scannerWithinMs / 1000} s.`, cure, name) : fine(String(said), name)
  } catch (err) {
    return problem(isRindleError(err) ? err.message : 'It did not answer.', cure, name)
  }
}
