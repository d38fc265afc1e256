import { isRindleError } from '../../src/core/errors.ts'
import { contextOf, type AnyRindle } from '../../src/context.ts'
import { ownerOf } from '../../src/core/owner.ts'
import type { WitnessOptions } from './witness-options.ts'

/** Whether a wish took effect: `no` for what was refused or rolled back, `maybe` where nobody was told. */
export type Outcome = 'yes' | 'no' | 'maybe'

/** What somebody wants to stand in a slot that holds one. */
interface Wish {
  readonly owner: { readonly type: string; readonly id: string }
  readonly slot: string
  /** Null: nothing. */
  readonly assetId: string | null
}

interface Recorded extends Wish {
  /** It does nothing where another asset stands. */
  readonly isConditional: boolean
  readonly began: number
  ended: number
  outcome: Outcome | 'open'
}

export interface Given {
  readonly asset: unknown
  readonly owner: unknown
  readonly slot: unknown
  readonly options: unknown
}

export interface WishWitness {
  watch(rindle: object, call: () => Promise<unknown>, given: Given): Promise<unknown>
  /** To be told how a transaction of the app's own ended, and with it what was wished in it. */
  ended(tx: object, outcome: Outcome): void
  /** @returns how many slots were judged. */
  check(): Promise<number>
  count(): number
  forget(): void
}

/** The last committed wish that was not refused wins. */
export const createWishWitness = ({ query, breach }: WitnessOptions): WishWitness => {
  const wishes: Recorded[] = []
  const within = new Map<object, Recorded[]>()
  let instant = 0
  const end = (wish: Recorded, outcome: Outcome): void => {
    wish.ended = instant += 1
    wish.outcome = outcome === 'yes' && wish.isConditional ? 'maybe' : outcome
  }
  return {
    async watch(rindle, call, given) {
      const wish = wishOf(rindle, given)
      if (!wish) return call()
      const recorded: Recorded = { ...wish, began: (instant += 1), ended: Infinity, outcome: 'open' }
      wishes.push(recorded)
      const tx = transactionOf(given)
      try {
        const answer = await call()
        if (tx) within.set(tx, [...(within.get(tx) ?? []), recorded])
        else end(recorded, 'yes')
        return answer
      } catch (err) {
        end(recorded, isRindleError(err) && !err.retryable ? 'no' : 'maybe')
        throw err
      }
    },
    ended(tx, outcome) {
      for (const wish of within.get(tx) ?? []) end(wish, outcome)
      within.delete(tx)
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
        const verdicts = await query(verdictsText, [given.map(({ assetId }) => assetId)])
        const wanted = candidates(given, new Map(verdicts.map((row) => [String(row['id']), row['verdict'] as Verdict])))
        if (!wanted.includes(stands))
          breach(`in ${name} stands ${stands ?? 'nothing'}, and the last wish was ${wanted.map((one) => one ?? 'nothing').join(' or ')}`)
      }
      return slots.size
    },
    count: () => wishes.length,
    forget() {
      wishes.length = 0
      within.clear()
    },
  }
}

/** What the gate said, if anything yet; or somebody after it had refused it. What is not there was refused. */
type Verdict = 'passed' | 'released'

/** What may stand there in the end: every wish after which no other surely took effect. */
const candidates = (wishes: readonly Recorded[], verdicts: ReadonlyMap<string, Verdict>): readonly (string | null)[] => {
  const verdictOf = ({ assetId }: Recorded): Verdict | 'refused' => (assetId === null ? 'passed' : (verdicts.get(assetId) ?? 'refused'))
  const kept = wishes.filter((wish) => verdictOf(wish) !== 'refused')
  // A wish that still waited for the gate gave way to the next one, even if that was refused then, for good or not.
  const mayBeRefused = (wish: Recorded): boolean => ['refused', 'released'].includes(verdictOf(wish))
  const gaveWay = (wish: Recorded): boolean => wishes.some((other) => mayBeRefused(other) && other.ended > wish.began)
  const deciding = kept.filter((wish) => wish.outcome === 'yes' && verdictOf(wish) !== 'released' && !gaveWay(wish))
  const last = kept.filter((wish) => !deciding.some((other) => other.began > wish.ended))
  return [...new Set([...last.map(({ assetId }) => assetId), ...(deciding.length === 0 ? [null] : [])])]
}

const wishOf = (rindle: object, { asset, owner, slot, options }: Given): (Wish & Pick<Recorded, 'isConditional'>) | null => {
  if (typeof slot !== 'string' || contextOf(rindle as AnyRindle).slots[slot]?.many !== false) return null
  const assetId = asset === null ? null : typeof asset === 'object' && 'id' in asset ? String(asset.id) : String(asset)
  const isConditional =
    asset === null && typeof options === 'object' && options !== null && 'asset' in options && options.asset !== undefined
  return { owner: ownerOf(owner as Parameters<typeof ownerOf>[0]), slot, assetId, isConditional }
}

const transactionOf = ({ options }: Given): object | null =>
  typeof options === 'object' && options !== null && 'tx' in options && typeof options.tx === 'object' ? options.tx : null

const standingText = `
  select asset_id from rindle.media_attachments
   where owner_type = $1 and owner_id = $2 and slot = $3 and standing <> 'released'
   order by standing desc limit 1`

const verdictsText = `
  select id, case when bool_or(refused) then 'released' else 'passed' end as verdict
    from (select m.entity_id as id, m.to_state = 'quarantined' as refused, m.move = 'promote' as passed
            from rindle.state_moves m where m.entity = 'asset' and m.entity_id = any($1::uuid[])
          union all
          select a.id, false, a.passed_at is not null or a.state in ('validating', 'analyzing')
            from rindle.media_assets a where a.id = any($1::uuid[])) told
   group by id having bool_or(passed)`
