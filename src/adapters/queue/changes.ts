import { AsyncLocalStorage } from 'node:async_hooks'
import type { Changes } from '../../core/ports/changes.ts'
import type { Database } from '../../database/database.ts'
import { changesChannel as channel } from '../../database/queries/changes.ts'

const quietMs = 20
/** A notification carries less than 8,000 bytes: 200 ids of 36 characters with their commas. */
const idsAtOnce = 200

/**
 * Tells who waits for an asset, in this process at once and in others by notification: at once, then at most once in 20 ms with all ids
 * of that time together. The listening connection opens with the first watch.
 */
export function createChanges({ database }: { readonly database: Database }): Changes & { close(): Promise<void> } {
  const watchers = new Map<string, Set<() => void>>()
  const outside = AsyncLocalStorage.snapshot()
  let waiting = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let listening: Promise<(() => Promise<void>) | null> | null = null

  const wake = (assetId: string): void => watchers.get(assetId)?.forEach((look) => look())

  const send = (): void => {
    const ids = [...waiting].slice(0, idsAtOnce)
    waiting = new Set([...waiting].slice(idsAtOnce))
    outside(() => {
      database.notify(channel, ids.join(',')).catch(() => undefined)
      timer = setTimeout(() => {
        timer = null
        if (waiting.size > 0) send()
      }, quietMs)
    })
  }

  const listen = (): void => {
    listening ??= outside(() => database.listen(channel, (payload) => payload.split(',').forEach(wake))).catch(() => {
      listening = null
      return null
    })
  }

  return {
    announce(assetId) {
      wake(assetId)
      waiting.add(assetId)
      if (!timer) send()
    },
    watch(assetId, look) {
      listen()
      const looks = watchers.get(assetId) ?? new Set()
      watchers.set(assetId, looks.add(look))
      return () => {
        looks.delete(look)
        if (looks.size === 0 && watchers.get(assetId) === looks) watchers.delete(assetId)
      }
    },
    async close() {
      if (timer) clearTimeout(timer)
      timer = null
      waiting = new Set()
      watchers.clear()
      const stop = await listening
      await stop?.()
    },
  }
}
