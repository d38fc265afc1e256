import { kindOf } from './content-type.ts'
import { installFfmpeg, oldestOf } from './decoding-packages.ts'
import { RindleError } from './errors.ts'
import { isOlder } from './is-older.ts'
import type { JailReport } from './ports/jail.ts'
import type { Profile, Profiles } from './profile.ts'

/** A type that a profile takes and that this machine cannot do all of what is asked with. */
interface UnmetNeed {
  readonly profile: string
  readonly contentType: string
  readonly error: RindleError
}

/** The walls that do not stand, as the reason not to open any file; null where all do. */
export const missingWalls = ({ walls }: Pick<JailReport, 'walls'>): RindleError | null => {
  const missing = walls.filter(({ stands }) => !stands).map(({ name, means }) => `${name}: ${means}`)
  return missing.length > 0 ? new RindleError('jail_incomplete', { missing }) : null
}

/** Opened wherever any audio or video is. */
const anyFilm = 'video/mp4'

/** What can only be told by trying: plain pictures come with sharp, HEIC, audio and video with what is installed besides. */
export const typesToTry = (profiles: Profiles): readonly string[] => {
  const listed = mediaOf(profiles).flatMap(([, { allowMime }]) => allowMime.filter(needsTrial))
  return [...new Set(listed.some(isPlayed) ? [...listed, anyFilm] : listed)]
}

/** Types that a profile takes and that were not decoded here. */
export const undecodable = (profiles: Profiles, report: JailReport): readonly UnmetNeed[] =>
  mediaOf(profiles).flatMap(([profile, { allowMime }]) =>
    allowMime.flatMap((contentType) => {
      const error = isDecoded(contentType, report) ? null : errorFor(`Profile ${profile}, which lists ${contentType},`, contentType, report)
      return error ? [{ profile, contentType, error }] : []
    }),
  )

/** By its own sample where there is one; else by those of its kind, which the same program opens. */
const isDecoded = (contentType: string, { decodes, missing }: JailReport): boolean => {
  if (decodes.includes(contentType)) return true
  return !Object.hasOwn(missing, contentType) && decodes.some((one) => isPlayed(one) === isPlayed(contentType))
}

const errorFor = (neededFor: string, contentType: string, { versions, missing, problem }: JailReport): RindleError => {
  if (isPlayed(contentType)) {
    const problem = ffmpegProblem(neededFor, versions)
    if (problem) return problem
    return new RindleError('program_missing', { program: `an ffmpeg that opens ${contentType}`, neededFor, install: installFfmpeg })
  }
  if (problem && versions['sharp']) return problem
  if (!versions['sharp']) return new RindleError('peer_missing', { packageName: 'sharp', neededFor })
  return new RindleError('peer_missing', { packageName: missing[contentType]?.packageName ?? 'sharp', neededFor })
}

const ffmpegProblem = (neededFor: string, versions: JailReport['versions']): RindleError | null => {
  for (const program of ['ffmpeg', 'ffprobe'] as const) {
    const [found, needed] = [versions[program] ?? null, oldestOf[program]]
    if (found === null) return new RindleError('program_missing', { program, neededFor, install: installFfmpeg })
    if (isOlder(found, needed)) return new RindleError('peer_outdated', { packageName: program, found, needed })
  }
  return null
}

const needsTrial = (type: string): boolean => type === 'image/heic' || isPlayed(type)
const isPlayed = (type: string): boolean => ['video', 'audio'].includes(kindOf(type))
const mediaOf = (profiles: Profiles): [string, Profile][] => Object.entries(profiles).filter(([, { kind }]) => kind === 'media')
