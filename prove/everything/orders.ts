import type { AssetState } from '../../src/core/asset.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { Random } from '../harness.ts'
import type { Outcome } from '../judge/wishes.ts'
import type { Query } from '../judge/witness-options.ts'
import type { App } from './app.ts'

type Kind = 'cancel' | 'requeue'

/** One call of `cancelProcessing` or `requeueVariants`. */
interface Order {
  readonly kind: Kind
  readonly asset: string
  /** The names that it answered with; none where it was refused, or rolled back. */
  told: readonly string[]
  /** True where the transaction that it was given in ended, and nobody knows how. */
  isUnsure: boolean
}

/** What may be said to somebody whose order comes at the wrong time. */
const refusals: Readonly<Record<Kind, readonly string[]>> = {
  cancel: ['not_processing', 'asset_not_found'],
  requeue: ['state_conflict', 'asset_not_found'],
}

const variantsOf = {
  photo: ['thumb', 'large'],
  open: ['thumb', 'large'],
  lesson: ['poster', 'web_720p', 'scrub_strip', 'peaks'],
} as const

export interface Orderable {
  readonly id: string
  readonly profile: keyof typeof variantsOf
  /** As somebody saw it a moment ago. */
  readonly state?: AssetState
}

/** Where variants are stopped and asked for again: what was told of it is held against the history. */
export interface Orders {
  /** Gives one at random. Whatever is no refusal is thrown. @returns what it was answered: a count of variants, or a code. */
  give(app: App, asset: Orderable, random: Random, tx?: object): Promise<string>
  /** To be told when a transaction of the app's own is over, and whether it was committed. */
  ended(tx: object, outcome: Outcome): void
  judge(query: Query, breach: (text: string) => void): Promise<void>
  count(): { readonly cancelled: number; readonly requeued: number }
}

export const createOrders = (): Orders => {
  const orders: Order[] = []
  const within = new Map<object, Order[]>()
  const reasonOf = (order: Order): string => `order ${orders.indexOf(order)}`

  return {
    async give(app, { id, profile, state }, random, tx) {
      const kind = random.chance(0.3) ? random.pick(['cancel', 'requeue'] as const) : state === 'degraded' ? 'requeue' : 'cancel'
      const order: Order = { kind, asset: id, told: [], isUnsure: false }
      orders.push(order)
      if (tx) within.set(tx, [...(within.get(tx) ?? []), order])
      const by = { reason: reasonOf(order), ...(random.chance(0.5) ? { actor: 'an operator' } : {}), ...(tx ? { tx } : {}) }
      const named = random.chance(0.3) ? { variants: random.shuffle(variantsOf[profile]).slice(0, 2) } : {}
      try {
        order.told = await (kind === 'cancel' ? app.cancelProcessing(id, by) : app.requeueVariants(id, { ...by, ...named }))
        return `${kind} of ${order.told.length}`
      } catch (err) {
        if (isRindleError(err) && refusals[kind].includes(err.code)) return err.code
        throw err
      }
    },
    ended(tx, outcome) {
      for (const order of within.get(tx) ?? []) {
        if (outcome === 'no') order.told = []
        order.isUnsure = outcome === 'maybe'
      }
      // The next transaction may be one of the same connection.
      within.delete(tx)
    },
    async judge(query, breach) {
      const told = new Map(orders.map((order) => [reasonOf(order), order]))
      for (const { reason, asset_id, move, names, times } of await query(orderedText)) {
        const order = told.get(String(reason))
        const done = `${String(move)} of ${String(times)} variants (${String(names)}) of ${String(asset_id)} by ${String(reason)}`
        const isSo = order && order.asset === asset_id && order.kind === kindOf[String(move)] && order.told.length === times
        if (!isSo || !(names as readonly string[]).every((name) => order.told.includes(name)))
          breach(`${done}, of which was told: ${order ? `${order.kind} of ${order.asset}: ${order.told.join()}` : 'nothing'}`)
        told.delete(String(reason))
      }
      for (const [reason, order] of told)
        if (order.told.length > 0 && !order.isUnsure)
          breach(`${reason}, a ${order.kind} of ${order.told.join()} of ${order.asset}, was answered and not done`)
      for (const { entity_id, asset_id, move } of await query(uncalledText))
        breach(`variant ${String(entity_id)} of ${String(asset_id)} made ${String(move)}, for which nobody asked`)
      for (const { entity_id, asset_id, made, asked } of await query(repeatedText))
        breach(`variant ${String(entity_id)} of ${String(asset_id)} was made ${String(made)} times, and asked for ${String(asked)} times`)
    },
    count() {
      const of = (kind: Kind): number => orders.filter((order) => order.kind === kind && order.told.length > 0).length
      return { cancelled: of('cancel'), requeued: of('requeue') }
    },
  }
}

const kindOf: Readonly<Record<string, Kind>> = { cancel: 'cancel', enqueue: 'requeue' }

/** What the history says was done by each order. Variants whose rows are gone have no name any more. */
const orderedText = `
  select m.reason, m.asset_id, m.move, count(*)::int as times, coalesce(array_agg(v.name) filter (where v.name is not null), '{}') as names
    from rindle.state_moves m left join rindle.media_variants v on v.id = m.entity_id
   where m.entity = 'variant' and m.reason like 'order %' and m.move in ('cancel', 'enqueue')
   group by m.reason, m.asset_id, m.move`

/** Stopped without an order; made again without one after it was stopped, had failed or was made; planned again without the gate's yes. */
const uncalledText = `
  select m.entity_id, m.asset_id, m.move from rindle.state_moves m
   where m.entity = 'variant'
     and case m.move when 'cancel' then coalesce(m.reason, '') not like 'order %'
                     when 'enqueue' then m.from_state <> 'planned' and coalesce(m.reason, '') not like 'order %'
                     when 'plan_again' then not exists (select from rindle.state_moves g
                            where g.entity = 'asset' and g.entity_id = m.asset_id and g.move = 'admit' and g.xid = m.xid)
                     else false end`

/** An order that was stopped again before its end made nothing. */
const repeatedText = `
  select m.entity_id, m.asset_id, count(*) filter (where m.move = 'finish')::int as made,
         count(*) filter (where m.move = 'enqueue')::int - count(*) filter (where m.move in ('cancel', 'fail'))::int as asked
    from rindle.state_moves m
   where m.entity = 'variant'
   group by m.entity_id, m.asset_id
  having count(*) filter (where m.move = 'finish') > count(*) filter (where m.move = 'enqueue') - count(*) filter (where m.move in ('cancel', 'fail'))`
