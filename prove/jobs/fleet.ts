import { setTimeout as sleep } from 'node:timers/promises'
import { RindleError } from '../../src/core/errors.ts'
import type { SignedRequest, StorageAdapter } from '../../src/core/ports/storage.ts'
import { type Bytes, filmOf, pictureOf } from '../everything/files.ts'
import type { Board } from '../everything/people.ts'
import type { SimulatedProcess } from '../everything/simulated-process.ts'
import { poison, poisonAt, poisonOfEncodesAt } from '../everything/unreliable-ports.ts'
import type { Random } from '../harness.ts'

/**
 * What a file is, and what becomes of it: over a deadly one every decoder dies; of a refused one storage takes nothing; a broken film breaks
 * when all of it is decoded, and over a dying one decoders die then.
 */
export interface File {
  readonly medium: 'picture' | 'film'
  readonly fate: 'good' | 'deadly' | 'refused' | 'broken' | 'dying'
}

/** What else becomes of a file than what should. */
export const fates = ['deadly', 'refused', 'broken', 'dying'] as const satisfies readonly File['fate'][]

export const picture: File = { medium: 'picture', fate: 'good' }
const film: File = { medium: 'film', fate: 'good' }

const bad: readonly File[] = [
  { medium: 'picture', fate: 'deadly' },
  { medium: 'picture', fate: 'refused' },
  { medium: 'film', fate: 'broken' },
  { medium: 'film', fate: 'dying' },
  { medium: 'film', fate: 'deadly' },
  { medium: 'film', fate: 'refused' },
]
/** What clients bring first, so that none of it is ever left out. */
export const broughtFirst: readonly File[] = [...bad, film, film, film]

const badShare = 0.05
const filmShare = 0.3
const slowShare = 0.2

const aFile = (random: Random): File => {
  if (random.chance(badShare)) return random.pick(bad)
  return random.chance(filmShare) ? film : picture
}

export interface Fleet {
  readonly web: SimulatedProcess
  readonly send: (ticket: SignedRequest, body: Bytes) => Promise<unknown>
  readonly files: Map<string, File>
  /** Assets of which storage takes nothing. */
  readonly refused: Set<string>
  readonly purged: Set<string>
  readonly board: Board
}

/** Storage that says no, for good, to whatever is written for some assets, or deleted of them. */
export const refusing = (adapter: StorageAdapter, refused: ReadonlySet<string>): StorageAdapter => {
  const guard = (key: string, operation: string): void => {
    const [role, assetId] = key.split('/')
    if (role !== 'staging' && assetId !== undefined && refused.has(assetId))
      throw new RindleError('storage_failed', { operation, store: adapter.id })
  }
  return {
    ...adapter,
    async put(key, body, options) {
      guard(key, 'put')
      return adapter.put(key, body, options)
    },
    async copy(from, to, options) {
      guard(to, 'copy')
      return adapter.copy(from, to, options)
    },
    async delete(key, options) {
      guard(key, 'delete')
      return adapter.delete(key, options)
    },
  }
}

export interface Bringing {
  readonly files: number
  readonly first: File
  readonly signal: AbortSignal
}

/** Uploads one file after another, puts some into slots, and purges some: all but the first, so that its end is seen whatever comes. */
export const bring = async (fleet: Fleet, random: Random, { files, first, signal }: Bringing): Promise<void> => {
  const { app } = fleet.web
  for (let index = 0; index < files && !signal.aborted; index += 1) {
    const file = index === 0 ? first : aFile(random)
    const id = await upload(fleet, random, file)
    if (index === 0) continue
    if (random.chance(0.6)) {
      const slot = file.medium === 'film' ? 'lesson' : 'portrait'
      await app.attach(id, { type: 'Person', id: random.int(files) }, slot).then(
        () => fleet.board.attached.add(id),
        (err: unknown) => {
          if (file.fate !== 'deadly') throw err
        },
      )
    } else if (random.chance(0.3)) {
      fleet.purged.add(id)
      await app.purge(id)
    }
    await sleep(random.int(20))
  }
}

/** @returns the asset's id, once its bytes are verified. */
const upload = async ({ web, send, files, refused }: Fleet, random: Random, file: File): Promise<string> => {
  const bytes = bytesOf(random, file)
  const [profile, filename] = file.medium === 'film' ? (['lesson', 'a.mp4'] as const) : (['photo', 'a.png'] as const)
  const session = await web.app.initiateUpload(profile, { filename, byteSize: bytes.byteLength })
  files.set(session.assetId, file)
  if (file.fate === 'refused') refused.add(session.assetId)
  await patiently(async () => {
    const { presigned } = await web.app.signUpload(session.id)
    await send(presigned, bytes).catch(() => undefined)
    await web.app.verifyCompletion(session.id)
  })
  return session.assetId
}

const bytesOf = (random: Random, { medium, fate }: File): Bytes => {
  const kind = fate === 'broken' ? 'broken' : random.chance(slowShare) ? 'slow' : 'plain'
  const bytes = medium === 'film' ? filmOf(random, 100, kind) : pictureOf(random, 100)
  if (fate === 'deadly') bytes[poisonAt] = poison
  if (fate === 'dying') bytes[poisonOfEncodesAt] = poison
  return bytes
}

/** As clients do whose connection is lost now and then. */
const patiently = async (run: () => Promise<unknown>): Promise<void> => {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return void (await run())
    } catch (err) {
      if (attempt === 20 || !(err instanceof RindleError) || !err.retryable) throw err
      await sleep(10)
    }
  }
}
