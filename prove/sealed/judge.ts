import { type AssetState, deliverableStates } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import { url } from '../../src/flows/delivery/url.ts'
import { variantUrl } from '../../src/flows/delivery/variant-url.ts'
import { type Bodies, sha256Of } from './bodies.ts'
import type { Ground } from './ground.ts'
import type { Lane } from './lane.ts'

export type Judged = {
  readonly lane: Lane
  readonly ground: Ground
  readonly bodies: Bodies
  readonly declaredSha256: string | null
  readonly isMultipart: boolean
  readonly assetId: string
  readonly breach: (text: string) => void
}

type Row = {
  /** Null for the original. */
  readonly name: string | null
  readonly key: string
  readonly byteSize: number
  readonly sha256: string
}

/** What was served of an asset, by key: null where nothing is. */
export type Served = ReadonlyMap<string, string> | null

/** Fetches all that is served of the asset as anybody would, and holds it against the rows. @returns what was served. */
export const judgeServed = async (judged: Judged): Promise<Served> => {
  const { lane, assetId, breach, ground } = judged
  const [asset] = await lane.database.query('select state, byte_size::int as bytes from rindle.media_assets where id = $1', [assetId])
  const state = asset?.['state'] as AssetState | undefined
  if (!state || !deliverableStates.includes(state)) {
    const address = await url(lane.ctx, assetId).catch((err: unknown) => (isRindleError(err) ? null : Promise.reject(err)))
    if (address !== null) breach(`an asset that is ${state} has a URL`)
    return null
  }
  const served = new Map<string, string>()
  for (const row of await rowsOf(judged)) {
    const { name, key, byteSize, sha256 } = row
    const what = `${name ?? 'the original'} of ${assetId} on ${ground.name} at ${key}`
    if (!(name === null ? /^sealed\// : /^variants\//).test(key)) breach(`${what} is served from a key that clients may write`)
    if (name === null && byteSize !== asset?.['bytes']) breach(`${what} has ${byteSize} bytes on its row, ${asset?.['bytes']} on its asset`)
    const address = await (name === null ? url(lane.ctx, assetId) : variantUrl(lane.ctx, assetId, name))
    const { status, body } = await ground.send({ method: 'GET', url: address })
    const kept = await ground.bare.read(key)
    const bytes = kept && new Uint8Array(await new Response(kept.body).arrayBuffer())
    for (const [by, found] of [
      ['by its URL', status === 200 ? body : null],
      ['through the adapter', bytes],
    ] as const) {
      if (!found) breach(`${what} is not there ${by} (${status})`)
      else if (found.byteLength !== byteSize) breach(`${what} has ${found.byteLength} bytes ${by}, ${byteSize} on its row`)
      else if (sha256Of(found) !== sha256) breach(`${what} has other bytes ${by} than those that were hashed`)
    }
    served.set(key, sha256Of(body))
    if (name === null) judgeOriginal(judged, body, what)
  }
  if (served.size === 0) breach(`nothing is served of ${assetId}, which is ${state}`)
  return served
}

const rowsOf = async ({ lane, assetId }: Judged): Promise<readonly Row[]> => {
  const rows = await lane.database.query(
    `select null as name, o.key, o.byte_size::int as "byteSize", encode(o.sha256, 'hex') as sha256
       from rindle.media_assets a join rindle.media_objects o on o.id = a.object_id where a.id = $1
     union all
     select v.name, o.key, o.byte_size::int, encode(o.sha256, 'hex')
       from rindle.media_variants v join rindle.media_objects o on o.id = v.object_id where v.asset_id = $1`,
    [assetId],
  )
  return rows.map(({ name, key, byteSize, sha256 }) => ({
    name: name === null ? null : String(name),
    key: String(key),
    byteSize: Number(byteSize),
    sha256: String(sha256),
  }))
}

/** The gate must have passed these very bytes. Of parts it may have passed a mixture, if it begins as it has to. */
const judgeOriginal = ({ bodies, declaredSha256, isMultipart, breach }: Judged, bytes: Uint8Array, what: string): void => {
  const sha256 = sha256Of(bytes)
  const beginning = (whole: Uint8Array): string => Buffer.from(whole.subarray(0, 8)).toString('hex')
  const isGood = bodies.good.some((one) => (isMultipart ? beginning(one) === beginning(bytes) : sha256Of(one) === sha256))
  if (!isGood) breach(`${what} is nothing that the gate may let through`)
  if (declaredSha256 !== null && sha256 !== declaredSha256) breach(`${what} has not the SHA-256 that was announced`)
}
