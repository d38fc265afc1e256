import type { WitnessOptions } from './witness-options.ts'
import type { GateWitness } from './gate.ts'

interface Options extends WitnessOptions {
  readonly gate: GateWitness
}

export interface UrlWitness {
  /** Has a URL of the asset given out by `call`, and looks at the asset before and after. */
  given(call: () => Promise<unknown>, asset: unknown): Promise<unknown>
  delivered(url: string, sha256: string): Promise<void>
  count(): number
  bodies(): number
  forget(): void
}

/** No URL before the gate or after the doom, and what one leads to is what was judged. */
export const createUrlWitness = ({ query, breach, gate }: Options): UrlWitness => {
  const assets = new Map<string, string>()
  let bodies = 0
  const look = async (id: string) =>
    (await query('select state, revision, passed_at is not null as passed from rindle.media_assets where id = $1', [id]))[0] ?? null

  return {
    async given(call, asset) {
      const id = idOf(asset)
      const before = await look(id)
      const url = await call()
      const after = await look(id)
      assets.set(String(url), id)
      if (!before || before['state'] === 'deleted') breach(`a URL was given for ${id}, which is ${before ? 'deleted' : 'not there'}`)
      else if (after && !after['passed'])
        breach(`a URL was given for ${id}, which is ${String(after['state'])} and has not passed the gate`)
      else if (before['state'] === 'quarantined' && after?.['revision'] === before['revision'])
        breach(`a URL was given for ${id}, which is held back`)
      return url
    },
    async delivered(url, sha256) {
      bodies += 1
      const id = assets.get(url)
      const rows = id === undefined ? [] : await query(objectsText, [id])
      const seen = gate.hasSeen(sha256) || rows.some(({ key }) => gate.hasJudged(String(key), sha256))
      if (id !== undefined && rows.length > 0 && !rows.some((row) => row['sha256'] === sha256))
        breach(`a URL of ${id} led to bytes that are none of that asset's`)
      else if (!seen && (id === undefined || rows.length > 0))
        breach(`a URL${id === undefined ? '' : ` of ${id}`} led to bytes that nobody judged`)
    },
    count: () => assets.size,
    bodies: () => bodies,
    forget() {
      assets.clear()
      bodies = 0
    },
  }
}

const idOf = (asset: unknown): string => (typeof asset === 'object' && asset !== null && 'id' in asset ? String(asset.id) : String(asset))

const objectsText = `select key, encode(sha256, 'hex') as sha256 from rindle.media_objects where asset_id = $1 and sha256 is not null`
