import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { local } from '../../src/adapters/storage/local.ts'
import { contextOf } from '../../src/context.ts'
import { buildVariants } from '../../src/flows/variants/build-variants.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { defineProfile, type Recipe } from '../../src/index.ts'
import { createTestRindle } from '../../src/testing/index.ts'
import { createDatabase, startPostgres } from '../../test/services/postgres.ts'
import { cpuMsOfTree } from '../harness.ts'

/** Half a minute of moving pictures with a tone. With noise in them no bit of the rate is left over, and encoding again is dearer by half. */
export const makeFilm = async (path: string, size: string, bitrate: string, noise = 0): Promise<void> => {
  const picture = `testsrc2=size=${size}:rate=30:duration=30${noise > 0 ? `,noise=alls=${noise}:allf=t` : ''}`
  const inputs = ['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=440:duration=30']
  const encoder = [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-b:v',
    bitrate,
    '-maxrate',
    bitrate,
    '-bufsize',
    bitrate,
    '-pix_fmt',
    'yuv420p',
  ]
  await ffmpeg([...inputs, ...encoder, '-c:a', 'aac', '-b:a', '128k', '-ac', '2', '-movflags', '+faststart', path])
}

/** As somebody runs it at a prompt: all threads, and its words for nobody. */
export const ffmpeg = async (args: readonly string[]): Promise<void> => {
  await promisify(execFile)('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...args])
}

/** What is taken of something: all CPU time of this process and of those it started, and the time by the clock. */
export const taken = async (work: () => Promise<unknown>): Promise<{ readonly cpuMs: number; readonly ms: number }> => {
  const [cpuMs, began] = [cpuMsOfTree(), performance.now()]
  await work()
  return { cpuMs: cpuMsOfTree() - cpuMs, ms: performance.now() - began }
}

/** An app that takes films and makes something of them, on a server of its own, whose time does not count. */
export const openStudio = async (folder: string, variants: Readonly<Record<string, Recipe>>) => {
  const server = await startPostgres({ own: true })
  const database = await createDatabase(server)
  const film = defineProfile({
    ...{ storage: local({ directory: join(folder, 'objects') }), allowMime: ['video/mp4'], maxBytes: 1_000_000_000, variants },
  })
  const rindle = createTestRindle(
    {
      ...{ database: database.url, profiles: { film }, scratchFolder: folder, baseUrl: 'http://localhost/media' },
      secrets: ['a secret of the benchmark, thirty-two bytes and more'],
    },
    {},
  )
  await rindle.migrate()
  const ctx = contextOf(rindle)
  await ctx.jail.warm(1)
  return {
    /** From the claim of the first job to the last row that is ready; what the gate took is told besides. */
    async build(source: string) {
      const { id } = await rindle.upload('film', source, { filename: 'film.mp4' })
      const gate = await taken(() => promoteAsset(ctx, id))
      const [poster, rest] = [
        await taken(() => buildVariants(ctx, id, { job: 'make_poster' })),
        await taken(() => buildVariants(ctx, id, { job: 'transcode_asset' })),
      ]
      const asset = await rindle.asset(id)
      if (asset?.state !== 'ready') throw new Error(`the film is ${asset?.state}: ${JSON.stringify(await rindle.readyVariantsFor(id))}`)
      await rindle.purge(id)
      return { gate, poster, rest }
    },
    async close() {
      await rindle.close()
      await database.drop()
      await server.stop()
    },
  }
}
