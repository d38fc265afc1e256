import { mkdtemp, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { RindleContext } from '../../context.ts'
import { type Check, fine, problem, warning } from '../../core/diagnosis.ts'

const mebibyte = 1024 * 1024

/** What this process was given and can reach, rows apart. */
export const checksOfMachine: readonly Check<RindleContext>[] = [
  {
    name: 'secrets',
    means: 'There is one at least, and each is long enough; createRindle refuses others.',
    async look({ keys }) {
      const { length } = keys.keysFor('doctor')
      const older = length > 1 ? `; ${length - 1} older ${length === 2 ? 'one is' : 'ones are'} still accepted` : ''
      return [fine(`The secret that tickets are made with is long enough${older}.`)]
    },
  },
  {
    name: 'base-url',
    means: 'Stores whose objects the http door serves have an address to be served at.',
    async look({ stores, baseUrl }) {
      const hosted = stores.all().filter((store) => store.supports('hosted'))
      if (hosted.length === 0) return [fine('No store needs the http door to serve its objects.')]
      if (baseUrl !== null) return [fine('The http door has an address.')]
      const cure = 'Set createRindle({ baseUrl }) to the address at which createHandler is mounted.'
      return hosted.map(({ id }) => problem('Its objects are served by the http door, which has no address.', cure, id))
    },
  },
  {
    name: 'scratch',
    means: 'The folder for jobs can be written to, and has room for the largest file of any profile and what is made from it.',
    async look({ host, profiles }) {
      const largest = Math.max(...Object.values(profiles).map(({ maxBytes }) => maxBytes))
      const cure = 'Point createRindle({ scratchFolder }) at a folder that this user may write to, on a larger disk.'
      try {
        await rmdir(await mkdtemp(join(host.scratchFolder, 'rindle-doctor-')))
      } catch {
        return [problem('The scratch folder cannot be written to.', cure)]
      }
      const free = host.freeBytes(host.scratchFolder)
      const room = `${spoken(free)} are free, and the largest file may have ${spoken(largest)}`
      if (free < 2 * largest) return [problem(`In the scratch folder ${room}: its copy and what is made from it do not fit.`, cure)]
      if (free < 8 * largest) return [warning(`In the scratch folder ${room}: a few such files at once do not fit.`, cure)]
      return [fine(`The scratch folder can be written to; ${room}.`)]
    },
  },
]

const spoken = (bytes: number): string => {
  if (!Number.isFinite(bytes)) return 'any number of bytes'
  return bytes < mebibyte ? `${bytes} bytes` : `${Math.floor(bytes / mebibyte)} MiB`
}
