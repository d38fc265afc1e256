import type { RindleContext } from '../../context.ts'
import { missingWalls, typesToTry, undecodable } from '../../core/decoding-needs.ts'

/**
 * Refuses where profiles ask for what this machine cannot do, each found by doing it. Starts a decoder only when a profile takes HEIC,
 * audio or video, or every wall is required: others cost nothing here.
 *
 * @throws RindleError `peer_missing`, `program_missing`, `peer_outdated` with the install line; `jail_incomplete`, `decoder_unavailable`
 */
export async function checkMachine({
  profiles,
  jail,
  wallsRequired,
}: Pick<RindleContext, 'profiles' | 'jail' | 'wallsRequired'>): Promise<void> {
  const types = typesToTry(profiles)
  if (!wallsRequired && types.length === 0) return
  const report = await jail.report(types)
  const incomplete = wallsRequired ? missingWalls(report) : null
  if (incomplete) throw incomplete
  const undecoded = undecodable(profiles, report).find(({ contentType }) => types.includes(contentType))
  if (undecoded) throw undecoded.error
}
