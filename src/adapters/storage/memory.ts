import { RindleError } from '../../core/errors.ts'
import type { Clock } from '../../core/clock.ts'
import type { ObjectHead, StorageAdapter } from '../../core/ports/storage.ts'
import { spanOf } from './byte-range.ts'
import { drain } from './drain.ts'
import { joined, streamOf } from './held-bytes.ts'
import { byKey } from './key-order.ts'
import { patched, refusePatchesBeyond } from './patches.ts'

interface StoredObject {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly head: ObjectHead
  readonly modifiedAt: Date
}

/**
 * Holds objects in this process and forgets them with it: for tests and trials. It keeps every promise that a real store does.
 *
 * Within one Rindle, profiles whose memories have the same `name` share the objects of the first.
 */
export const memory = (options: { readonly name?: string; readonly clock?: Pick<Clock, 'now'> } = {}): StorageAdapter => {
  const objects = new Map<string, StoredObject>()
  const now = (): Date => options.clock?.now() ?? new Date(performance.timeOrigin + performance.now())
  let written = 0

  const place = (key: string, bytes: Uint8Array<ArrayBuffer>, contentType: string | null): ObjectHead => {
    if (objects.has(key)) throw new RindleError('object_exists', {})
    written += 1
    const head: ObjectHead = { sizeBytes: bytes.byteLength, contentType, etag: `memory-${written}`, version: null }
    objects.set(key, { bytes, head, modifiedAt: now() })
    return head
  }

  return {
    id: `memory:${options.name ?? 'default'}`,
    capabilities: new Set(['hosted', 'create_only_put', 'conditional_copy', 'patched_copy']),

    async put(key, body, { signal, contentType, sizeBytes }) {
      if (objects.has(key)) {
        void body.cancel().catch(() => undefined)
        throw new RindleError('object_exists', {})
      }
      const chunks: Uint8Array[] = []
      await drain(body, { signal, sizeBytes }, (chunk) => void chunks.push(chunk))
      return place(key, joined(chunks), contentType)
    },

    async head(key, { signal } = {}) {
      signal?.throwIfAborted()
      return objects.get(key)?.head ?? null
    },

    async read(key, { signal, range } = {}) {
      signal?.throwIfAborted()
      const stored = objects.get(key)
      if (!stored) return null
      const { from, to } = spanOf(range, stored.head.sizeBytes)
      return { ...stored.head, body: streamOf(stored.bytes.subarray(from, to), signal) }
    },

    async copy(from, to, { signal, ifMatch, patches = [] } = {}) {
      signal?.throwIfAborted()
      const source = objects.get(from)
      if (!source || (ifMatch !== undefined && ifMatch !== source.head.etag)) return null
      refusePatchesBeyond(patches, source.head.sizeBytes)
      return place(to, patches.length > 0 ? patched(source.bytes, 0, patches) : source.bytes, source.head.contentType)
    },

    async delete(key, { signal } = {}) {
      signal?.throwIfAborted()
      objects.delete(key)
    },

    async *list(prefix, { signal } = {}) {
      for (const key of [...objects.keys()].filter((one) => one.startsWith(prefix)).sort(byKey)) {
        signal?.throwIfAborted()
        const stored = objects.get(key)
        if (stored) yield { key, sizeBytes: stored.head.sizeBytes, modifiedAt: stored.modifiedAt }
      }
    },
  }
}
