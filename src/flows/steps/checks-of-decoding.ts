import type { RindleContext } from '../../context.ts'
import { undecodable, type UnmetNeed, unstrippable } from '../../core/decoding-needs.ts'
import { type Check, fine, problem, type Saying, warning } from '../../core/diagnosis.ts'
import { isRindleError } from '../../core/errors.ts'
import type { Scanner } from '../../core/ports/scanner.ts'

const scannerWithinMs = 10_000

/** What files are opened with and looked through by. */
export const checksOfDecoding: readonly Check<RindleContext>[] = [
  {
    name: 'jail',
    means: 'Every wall around the decoders stands; with jail: require one that does not is a problem.',
    uses: 'scratch',
    async look({ jail, wallsRequired }) {
      const missing = wallsRequired ? problem : warning
      return (await jail.report()).walls.map(({ name, stands, means }) =>
        stands ? fine(means, name) : missing(`This wall does not stand: ${name}.`, means, name),
      )
    },
  },
  {
    name: 'decoders',
    means: 'Their versions; one that is not there is a problem only to a profile that needs it.',
    uses: 'scratch',
    async look({ jail }) {
      const { versions } = await jail.report()
      return Object.entries(versions).map(([name, version]) => fine(version === null ? 'Not there.' : `Version ${version}.`, name))
    },
  },
  {
    name: 'types',
    means: 'One file of each kind that a profile takes was decoded here, a moment ago.',
    uses: 'scratch',
    async look({ jail, profiles }) {
      return perProfile(profiles, undecodable(profiles, await jail.report()), 'Every type that it takes is opened here.')
    },
  },
  {
    name: 'metadata',
    means: 'Whatever a profile wants taken out of files is taken out of each type that it takes.',
    uses: 'scratch',
    async look({ jail, profiles }) {
      return perProfile(
        profiles,
        unstrippable(profiles, await jail.report()),
        'What is not to be served is taken out of every type that it takes.',
      )
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

const perProfile = (profiles: RindleContext['profiles'], unmet: readonly UnmetNeed[], allIsWell: string): Saying[] =>
  Object.entries(profiles).flatMap(([name, { kind }]) => {
    if (kind === 'file') return [fine('Its files are not opened.', name)]
    const own = unmet.filter(({ profile }) => profile === name)
    return own.length === 0
      ? [fine(allIsWell, name)]
      : own.map(({ contentType, error }) =>
          problem(
            error.message,
            'Install it where workers run, and look again; or leave the type out of allowMime.',
            `${name} ${contentType}`,
          ),
        )
  })

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
