import { startRestartingPostgres } from '../../test/services/postgres.ts'
import type { ProofContext } from '../harness.ts'
import { openLane } from './lane.ts'
import type { Tally } from './tally.ts'

/** A loop of a worker gives a database five minutes to come back, which must be longer than a busy machine takes. */
const factor = 10

/**
 * Kills PostgreSQL itself, all its processes by SIGKILL, while an app and its worker are at work: they live on, and nothing that was told to
 * anybody is lost. It syncs to the disk, as it does where it matters.
 *
 * @returns how often.
 */
export const killServer = async (
  proof: ProofContext,
  options: { readonly times: number; readonly withinMs: number; readonly tally: Tally; readonly cacheFolder: string },
): Promise<number> => {
  const { times, withinMs, tally, cacheFolder } = options
  const server = await startRestartingPostgres({ fsync: true })
  try {
    const lane = await openLane({ proof, name: 'outages', store: 'local', jail: 'plain', tally, cacheFolder, factor, server })
    try {
      const count = await lane.outages(times, withinMs)
      if (count < times) proof.breach(`PostgreSQL was killed ${count} times in ${withinMs / 1000} s, not ${times}`)
      return count
    } finally {
      await lane.close()
    }
  } finally {
    await server.stop()
  }
}
