import { RindleError } from '../../core/errors.ts'
import type { StorageAdapter } from '../../core/ports/storage.ts'
import { guardedStore, type ObjectStore, type StorageTimeouts, type Timer } from './object-store.ts'

/** Every store that rows may name, each behind its guards. */
export interface Stores {
  /** Where a profile's new bytes go. @throws RindleError `profile_unknown` */
  of(profileName: string): ObjectStore
  /** Where the objects of a row are, whatever its profile says by now. @throws RindleError `store_unknown` */
  at(storeId: string): ObjectStore
  /** One for each id. */
  all(): readonly ObjectStore[]
}

/** Adapters with the same id are one store: the first one given is used for all. */
export const createStores = (options: {
  readonly profiles: Readonly<Record<string, { readonly storage: StorageAdapter }>>
  /** Stores that no profile uses any more, but that still hold objects. */
  readonly stores?: readonly StorageAdapter[]
  readonly timeouts?: Partial<StorageTimeouts>
  /** What those are measured by. Default: the machine's. */
  readonly timer?: Timer
}): Stores => {
  const byId = new Map<string, ObjectStore>()
  const storeOf = (adapter: StorageAdapter): ObjectStore => {
    const known = byId.get(adapter.id)
    if (known) return known
    const store = guardedStore(adapter, options.timeouts, options.timer)
    byId.set(adapter.id, store)
    return store
  }
  const byProfile = new Map(Object.entries(options.profiles).map(([name, profile]) => [name, storeOf(profile.storage)]))
  for (const adapter of options.stores ?? []) storeOf(adapter)

  return {
    of(profileName) {
      const store = byProfile.get(profileName)
      if (!store) throw new RindleError('profile_unknown', { profile: profileName, known: [...byProfile.keys()] })
      return store
    },
    at(storeId) {
      const store = byId.get(storeId)
      if (!store) throw new RindleError('store_unknown', { store: storeId })
      return store
    },
    all: () => [...byId.values()],
  }
}
