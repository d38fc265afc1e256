import { isRindleError } from '../../src/core/errors.ts'
import { contextOf, type AnyRindle } from '../../src/context.ts'
import { ownerOf } from '../../src/core/owner.ts'
import type { WitnessOptions } from '../judge.ts'

/** What somebody wants to stand in a slot that holds one. */
export interface Wish {
  readonly owner: { readonly type: string; readonly id: string }
  readonly slot: string
  /** Null: nothing. */
  readonly assetId: string | null
}

interface Recorded extends Wish {
  readonly began: number
  ended: number
  /** Whether it took effect: `no` for what was refused or rolled back, `maybe` where nobody was told. */
  outcome: 'open' | 'yes' | 'no' | 'maybe'
}

export interface Given {
  readonly asset: unknown
  readonly owner: unknown
  readonly slot: unknown
  readonly options: unknown
}

export interface Wishes {
  /** Before the call is made. The answer is to be told once the transaction has ended, one way or the other. */
  begin(wish: Wish): (outcome: 'yes' | 'no' | 'maybe') => void
}

export interface WishWitness extends Wishes {
  watch(rindle: object, call: () => Promise<unknown>, given: Given): Promise<unknown>
  /** @returns how many slots were judged. */
  check(): Promise<number>
  count(): number
}

/** The last committed wish that was not refused wins. */
export const createWishWitness = ({ query, breach }: WitnessOptions): WishWitness => {
  const wishes: Recorded[] = []
  let instant = 0
  const begin: Wishes['begin'] = (wish) => {
    const recorded: Recorded = { ...wish, began: (instant += 1), ended: Infinity, outcome: 'open' }
    wishes.push(recorded)
    return (outcome) => Object.assign(recorded, { ended: (instant += 1), outcome })
  }
  return {
    begin,
    async watch(rindle, call, given) {
      const wish = wishOf(rindle, given)
      if (!wish) return call()
      const end = begin(wish)
      try {
        const answer = await call()
        end(isConditional(given) ? 'maybe' : 'yes')
        return answer
      } catch (err) {
        end(isRindleError(err) && !err.retryable ? 'no' : 'maybe')
        throw err
      }
    },
    async check() {
      const slots = Map.groupBy(
        wishes.filter(({ outcome }) => outcome !== 'no'),
        ({ owner, slot }) => JSON.stringify([owner.type, owner.id, slot]),
      )
      for (const [name, given] of slots) {
        const [type, id, slot] = JSON.parse(name) as readonly string[]
        const rows = await query(standingText, [type, id, slot])
        const stands = rows[0] ? String(rows[0]['asset_id']) : null
        const passed = new Set((await query(passedText, [given.map(({ assetId }) => assetId)])).map((row) => String(row['id'])))
        const wanted = candidates(given, (assetId) => passed.has(assetId))
        if (!wanted.includes(stands))
          breach(`in ${name} stands ${stands ?? 'nothing'}, and the last wish was ${wanted.map((one) => one ?? 'nothing').join(' or ')}`)
      }
      return slots.size
    },
    count: () => wishes.length,
  }
}

/** What may stand there in the end: every wish after which no other surely took effect. */
const candidates = (wishes: readonly Recorded[], hasPassed: (assetId: string) => boolean): readonly (string | null)[] => {
  const isRefused = ({ assetId }: Recorded): boolean => assetId !== null && !hasPassed(assetId)
  const kept = wishes.filter((wish) => !isRefused(wish))
  // A wish that still waited for the gate gave way to the next one, even if that was refused then.
  const gaveWay = (wish: Recorded): boolean => wishes.some((other) => isRefused(other) && other.ended > wish.began)
  const deciding = kept.filter((wish) => wish.outcome === 'yes' && !gaveWay(wish))
  const last = kept.filter((wish) => !deciding.some((other) => other.began > wish.ended))
  return [...new Set([...last.map(({ assetId }) => assetId), ...(deciding.length === 0 ? [null] : [])])]
}

const wishOf = (rindle: object, { asset, owner, slot, options }: Given): Wish | null => {
  if (typeof slot !== 'string' || contextOf(rindle as AnyRindle).slots[slot]?.many !== false) return null
  if (typeof options === 'object' && options !== null && 'tx' in options && options.tx !== undefined) return null
  const assetId = asset === null ? null : typeof asset === 'object' && 'id' in asset ? String(asset.id) : String(asset)
  return { owner: ownerOf(owner as Parameters<typeof ownerOf>[0]), slot, assetId }
}

/** A detach of a certain asset does nothing where another stands. */
const isConditional = ({ asset, options }: Given): boolean =>
  asset === null && typeof options === 'object' && options !== null && 'asset' in options && options.asset !== undefined

const standingText = `
  select asset_id from rindle.media_attachments
   where owner_type = $1 and owner_id = $2 and slot = $3 and standing <> 'released'
   order by standing desc limit 1`

/** Passed, or still in the gate. */
const passedText = `
  select m.entity_id as id from rindle.state_moves m where m.entity = 'asset' and m.move = 'promote' and m.entity_id = any($1::uuid[])
  union select a.id from rindle.media_assets a where a.id = any($1::uuid[]) and a.state in ('validating', 'analyzing')`
