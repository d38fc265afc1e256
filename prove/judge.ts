import { createHash } from 'node:crypto'
import type { Jail } from '../src/core/ports/jail.ts'
import type { StorageAdapter } from '../src/core/ports/storage.ts'
import type { BucketCall, LandingHook, LateCall } from '../src/testing/memory-bucket.ts'
import { createGateWitness } from './judge/gate.ts'
import { createStorageWitness } from './judge/storage.ts'
import { createUrlWitness } from './judge/urls.ts'
import { createWishWitness, type Outcome } from './judge/wishes.ts'
import type { WitnessOptions } from './judge/witness-options.ts'

/**
 * Sees what rows cannot show, while it happens. What the rows themselves show is asked by `checkInvariants`. Put it next to the library, before
 * whatever fails: `createWitness` → `storage(faulty(bucket))` into the profiles, `jail(createJail())` into the overrides, `watch(rindle)`.
 *
 * At the instant of each call of storage it looks at the rows:
 * - nothing is written, and no upload in parts begun, at a key of the library that has no row;
 * - a sealed or a variant's key is written by the library once, whatever the answer was;
 * - nothing is deleted but what its row says is doomed or watched, and nothing that an asset, a variant or an open upload points at;
 * - no upload in parts is aborted that an open session awaits.
 *
 * Of URLs: none for what was deleted when it was asked for, or has not passed the gate when it is given; what one leads to, told by
 * `delivered`, is byte for byte what the jail saw or made, and the asset's own.
 *
 * Of slots that hold one: what stands there once all is quiet is what the last wish asked for that was not refused. Two wishes that overlap
 * may come in either order; one whose answer was lost may count or not.
 */
export interface Witness {
  storage(adapter: StorageAdapter): StorageAdapter
  jail(jail: Jail): Jail
  /** Watches `url`, `variantUrl`, `attach` and `detach` of this very object from now on. @returns the same. */
  watch<R extends object>(rindle: R): R
  /** To be told of every complete body that a URL led to, whoever gave it out. */
  delivered(url: string, bytes: Uint8Array): Promise<void>
  /** What decides when a bucket's calls take effect, with an eye on what clients bring there past the adapter. */
  landings(hook: LandingHook): LandingHook
  /** Lets a call take effect that was on its way, and looks whether what it brought has a row. @returns false when the bucket refused it. */
  land(late: LateCall): Promise<boolean>
  /** To be told when bytes arrive at a key in any other way, before they are there. */
  landing(key: string): Promise<void>
  /** To be told how a transaction of the app's own ended: `maybe` where nobody knows. Until then what was wished in it is open. */
  ended(tx: object, outcome: Outcome): void
  /**
   * Judges what can only be judged once nothing is under way: the slots, and that the gate saw the bytes of every object that is present.
   * Breaches are told to `breach`. @returns how much was witnessed.
   */
  check(): Promise<Witnessed>
  /** Begins anew, for a database and a bucket that are empty: what was seen before is held against nothing any more. */
  forget(): void
}

export interface Witnessed {
  /** Writes, deletions and aborts that were held against the rows. */
  readonly calls: number
  readonly urls: number
  readonly bodies: number
  readonly wishes: number
  readonly slots: number
}

export const createWitness = ({ query, breach }: WitnessOptions): Witness => {
  const gate = createGateWitness()
  const storage = createStorageWitness({ query, breach, read: gate.read })
  const urls = createUrlWitness({ query, breach, gate })
  const wishes = createWishWitness({ query, breach })
  return {
    storage: storage.wrap,
    jail: gate.wrap,
    watch(rindle) {
      around(rindle, 'url', (call, [asset]) => urls.given(call, asset))
      around(rindle, 'variantUrl', (call, [asset]) => urls.given(call, asset))
      around(rindle, 'attach', (call, [asset, owner, slot, options]) => wishes.watch(rindle, call, { asset, owner, slot, options }))
      around(rindle, 'detach', (call, [owner, slot, options]) => wishes.watch(rindle, call, { asset: null, owner, slot, options }))
      return rindle
    },
    delivered: (url, bytes) => urls.delivered(url, createHash('sha256').update(bytes).digest('hex')),
    landing: (key) => storage.landing('something lands at', key),
    landings: (hook) => (call) =>
      call.operation === 'send' && bringsAll(call) ? storage.landing('a client writes to', call.key).then(() => hook(call)) : hook(call),
    async land(late) {
      const has = late.land()
      if (has && bringsAll(late.call)) await storage.landing(`a late ${late.call.operation} lands at`, late.call.key)
      return has
    },
    ended: wishes.ended,
    async check() {
      for (const { key, sha256 } of await query(keptText))
        if (!gate.hasJudged(String(key), String(sha256))) breach(`${String(key)} is kept, and nobody judged its bytes`)
      const slots = await wishes.check()
      return { calls: storage.calls(), urls: urls.count(), bodies: urls.bodies(), wishes: wishes.count(), slots }
    },
    forget() {
      for (const one of [gate, storage, urls, wishes]) one.forget()
    },
  }
}

/** Parts are nothing yet, and refused where nobody awaits them any more. */
const bringsAll = ({ operation, partNumber }: BucketCall): boolean =>
  operation === 'put' || operation === 'copy' || operation === 'complete' || (operation === 'send' && partNumber === undefined)

/** What may be served, or was made of it. */
const keptText = `select key, encode(sha256, 'hex') as sha256 from rindle.media_objects
  where state = 'present' and role in ('original', 'variant') and sha256 is not null`

type Around = (call: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>

/** In place, so that whoever knows the object by its identity still does. */
const around = (rindle: object, name: string, run: Around): void => {
  const original: unknown = Reflect.get(rindle, name)
  if (typeof original !== 'function') throw new Error(`${name} is no method`)
  Reflect.set(rindle, name, (...args: readonly unknown[]) => run(async () => Reflect.apply(original, rindle, args), args))
}
