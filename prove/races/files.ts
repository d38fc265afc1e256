import type { RindleContext } from '../../src/context.ts'
import { assetMachine } from '../../src/core/asset.ts'
import { objectMachine } from '../../src/core/object.ts'
import { endedSessionSeconds, secondsAfter, signedWatchSeconds, wakeUpSeconds } from '../../src/core/patience.ts'
import { uploadSessionMachine } from '../../src/core/upload-session.ts'
import { born } from '../../src/database/move.ts'
import { moves } from '../../src/database/statement.ts'
import type { Random } from '../harness.ts'
import { bytesOf, type Kind, kinds } from './judge.ts'
import type { File } from './model.ts'

/** Of each seat, by the number of the file: its asset, its session where somebody is to verify it yet, and what the model starts from. */
export interface Files {
  readonly assets: readonly string[]
  readonly sessions: readonly (string | null)[]
  readonly files: readonly File[]
}

/** Of three files one has landed and is to be verified yet; two were, and the gate may have spoken by the time somebody asks. */
const phases = ['staged', 'gate', 'gate'] as const

/** What nothing is made of races the fastest. */
const kindNames = ['sound', 'sound', 'picture', 'film'] as const satisfies readonly Kind[]

interface Prepared {
  readonly file: File
  readonly asset: { readonly id: string; readonly [column: string]: unknown }
  readonly session: { readonly id: string; readonly [column: string]: unknown }
  readonly object: { readonly id: string; readonly [column: string]: unknown }
}

/** Brings the files of so many seats to where the race begins, by one statement: as flows leave them, one call after another. */
export const bringFiles = async (
  ctx: Pick<RindleContext, 'db' | 'queue' | 'clock' | 'ids' | 'stores'>,
  random: Random,
  seats: number,
): Promise<readonly Files[]> => {
  const bySeat = await Promise.all(
    Array.from({ length: seats }, () =>
      Promise.all(phases.map((phase) => prepare(ctx, { phase, kind: random.pick(kindNames), good: random.chance(0.8) }))),
    ),
  )
  const all = bySeat.flat()
  const [open, done] = [all.filter(({ file }) => file.phase === 'staged'), all.filter(({ file }) => file.phase === 'gate')]
  await moves(
    ctx.db.pool,
    ctx,
    [
      born('staged', assetMachine, [], { rows: open.map(({ asset }) => asset) }),
      born('accepted', assetMachine, ['accept'], { rows: done.map(({ asset }) => asset) }),
      born('open', uploadSessionMachine, ['sign'], { rows: open.map(({ session }) => session) }),
      born('completed', uploadSessionMachine, ['sign', 'verify', 'complete'], { rows: done.map(({ session }) => session) }),
      born('reserved', objectMachine, [], { rows: open.map(({ object }) => object) }),
      born('present', objectMachine, ['confirm'], { rows: done.map(({ object }) => object) }),
    ],
    { jobs: done.map(({ asset }) => ({ name: 'promote_asset', id: asset.id })) },
  )
  return bySeat.map((made) => ({
    assets: made.map(({ asset }) => asset.id),
    sessions: made.map(({ session, file }) => (file.session === 'open' ? session.id : null)),
    files: made.map(({ file }) => file),
  }))
}

const prepare = async (
  { ids, clock, stores }: Pick<RindleContext, 'ids' | 'clock' | 'stores'>,
  { phase, kind, good }: { readonly phase: (typeof phases)[number]; readonly kind: Kind; readonly good: boolean },
): Promise<Prepared> => {
  const [asset, session, object] = [ids.next(), ids.next(), ids.next()]
  const at = clock.now()
  const [soon, tomorrow] = [secondsAfter(at, wakeUpSeconds), secondsAfter(at, endedSessionSeconds)]
  const store = stores.of('file')
  const key = `staging/${session}/${object}`
  const filename = `${good ? 'good' : 'bad'}-${kind}-${asset}`
  const bytes = new Blob([bytesOf(kind)])
  const { contentType, wanted } = kinds[kind]
  const { etag, version } = await store.put(key, bytes.stream(), { contentType })
  const isOpen = phase === 'staged'
  const common = { asset_id: asset, profile: 'file' }
  const described = { declared_type: contentType, declared_bytes: bytes.size, upload_strategy: 'presigned_put' }
  return {
    file: { phase, session: isOpen ? 'open' : 'completed', released: false, good, wanted, variants: {}, spokeBy: null },
    asset: {
      ...{ id: asset, profile: 'file', filename, content_type: contentType, byte_size: bytes.size },
      ...(isOpen ? {} : { due_at: soon }),
    },
    session: {
      ...{ id: session, ...common, ...described, due_at: tomorrow, expires_at: tomorrow },
      ...(isOpen ? { object_id: object } : { verified_at: at }),
    },
    object: {
      ...{ id: object, asset_id: asset, session_id: session, role: 'staging', store: store.id, key, content_type: contentType },
      ...(isOpen ? { watch_until: secondsAfter(at, signedWatchSeconds) } : { byte_size: bytes.size, etag, version }),
    },
  }
}
