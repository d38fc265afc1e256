import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createStores } from '../../src/adapters/storage/stores.ts'
import { createKeyRing } from '../../src/core/key-ring.ts'
import type { Jail } from '../../src/core/ports/jail.ts'
import { mintTicket } from '../../src/core/ticket.ts'
import { visitRulesOf } from '../../src/core/visit-rules.ts'
import { removeScratch, makeScratch } from '../../src/flows/steps/make-scratch.ts'
import { fetchSealed } from '../../src/flows/steps/fetch-sealed.ts'
import { putVariants, type HeldVariant } from '../../src/flows/steps/put-variants.ts'
import { seal } from '../../src/flows/gate/seal.ts'
import { readHost } from '../../src/host.ts'
import { photo, photoProfile, secret, type storage } from './workload.ts'

export interface StoredAt {
  readonly store: string
  readonly key: string
}

export interface TicketFor extends StoredAt {
  readonly objectId: string
  readonly sessionId: string
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** What a lifecycle does besides its rows, by the steps that our flows take: the same code on both sides. */
export interface Touches {
  ticket(ticket: TicketFor): string
  /** What was sent is there: its etag. */
  verify(staged: StoredAt): Promise<string | null>
  /** Copied to its own key, read into a folder of its own, hashed and judged; then `admit` and the variants under their keys. */
  gate(
    objects: { readonly staged: StoredAt & { readonly etag: string | null }; readonly sealed: StoredAt },
    admit: (sha256: string) => Promise<readonly HeldVariant[]>,
  ): Promise<void>
}

export function touchesOf(store: ReturnType<typeof storage>, jail: Jail, scratchFolder: string): Touches {
  const profile = photoProfile(store)
  const ctx = { stores: createStores({ profiles: { photo: profile } }), host: readHost(), logger: console }
  const keys = createKeyRing([secret])
  const { signal } = new AbortController()
  const object = (at: StoredAt, etag: string | null) => ({ id: '', role: 'original' as const, etag, version: null, ...at })
  return {
    ticket: ({ store: at, ...names }) =>
      mintTicket(keys, 'put', {
        ...names,
        store: at,
        contentType: photo.contentType,
        sizeBytes: photo.bytes.byteLength,
        sha256: null,
        createOnly: true,
      }),
    verify: async (staged) => (await ctx.stores.at(staged.store).head(staged.key))?.etag ?? null,
    async gate({ staged, sealed }, admit) {
      const folder = join(scratchFolder, randomUUID())
      const path = `${folder}.received`
      makeScratch(folder)
      try {
        await seal(ctx, { source: object(staged, staged.etag), sealed: object(sealed, null), signal })
        const read = await fetchSealed(ctx, { object: sealed, path, signal })
        const { filename } = photo
        await jail.visit({
          path,
          folder,
          purpose: 'gate',
          filename,
          ...visitRulesOf(profile),
          variants: [],
          signal,
        })
        const variants = await admit(read?.sha256 ?? '')
        const outcomes = await putVariants(ctx, { assetId: sealed.key, store: sealed.store, variants, signal })
        if (outcomes.some(({ result }) => result !== 'stored')) throw new Error('a variant was not stored')
      } finally {
        await removeScratch({ folder, file: path })
      }
    },
  }
}
