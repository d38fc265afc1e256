import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { memory } from '../../src/adapters/storage/memory.ts'
import { image } from '../../src/core/image-recipe.ts'
import { unplayed } from '../../src/core/played.ts'
import type { Facts, MadeVariant, Jail } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { pictureFacts } from '../../src/core/variant-facts.ts'

/** What one lifecycle is about, the same on both sides. */
export const photo = {
  filename: 'photo.jpg',
  contentType: 'image/jpeg',
  bytes: new Uint8Array(64).fill(7),
  uploader: { type: 'User', id: '7' },
  ownerType: 'Post',
  slot: 'photo',
  profile: 'photo',
} as const

export const secret = 'a secret for benchmarks alone, of thirty-two bytes or more'

export const facts: Facts = {
  ...{ kind: 'image', contentType: 'image/jpeg', extension: 'jpg', width: 4000, height: 3000, frames: 1, hasAlpha: false },
  ...unplayed,
  ...{ placeholder: '1QcSHQRnh493V4dIh4eXh1h4kJUI', dominantColor: '#a0b0c0' },
}

export const figures = { gateCpuMs: 1, cpuMs: 2 } as const

export const storage = () => memory({ name: 'bench' })

export const photoProfile = (store: ReturnType<typeof storage>) =>
  defineProfile({
    storage: store,
    allowMime: ['image/jpeg'],
    maxBytes: 1_000_000,
    variants: {
      thumb: image({ mode: 'fill', width: 128, height: 128, format: 'webp' }),
      medium: image({ width: 1024, format: 'webp' }),
      large: image({ width: 2048, format: 'jpeg' }),
    },
  })

/** What a decoder would have made: three tiny files that are there already. */
export async function makeVariants(folder: string): Promise<readonly (MadeVariant & { readonly ok: true })[]> {
  const made = [
    { name: 'large', format: 'jpeg', extension: 'jpg', width: 2048, height: 1536 },
    { name: 'medium', format: 'webp', extension: 'webp', width: 1024, height: 768 },
    { name: 'thumb', format: 'webp', extension: 'webp', width: 128, height: 128 },
  ]
  return Promise.all(
    made.map(async ({ name, format, extension, width, height }) => {
      const bytes = Buffer.alloc(32, name)
      const path = join(folder, `${name}.${extension}`)
      await writeFile(path, bytes)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return {
        name,
        ok: true,
        path,
        contentType: `image/${format}`,
        extension,
        ...pictureFacts({ width, height }),
        byteSize: bytes.byteLength,
        sha256,
      } as const
    }),
  )
}

/** What the client does, which memory takes at once. */
export const send = (store: ReturnType<typeof storage>, key: string): Promise<unknown> =>
  store.put(key, new Blob([photo.bytes]).stream(), { contentType: photo.contentType, sizeBytes: photo.bytes.byteLength })

/** Says yes at once and hands out the files that are there. */
export const instantJail = (variants: readonly MadeVariant[]): Jail => ({
  visit: async () => ({ verdict: 'pass', facts, rewritten: null, variants, figures }),
  warm: async () => {},
  report: async () => ({ walls: [], versions: {}, decodes: [], missing: {} }),
  close: async () => {},
})

export const clients = 8

/** Runs `count` lifecycles with all clients busy until the last. @returns how many were done in a second. */
export async function atOnce(count: number, lifecycle: (number: number) => Promise<void>): Promise<number> {
  let next = 0
  const startedMs = performance.now()
  const client = async (): Promise<void> => {
    while (next < count) await lifecycle(next++)
  }
  await Promise.all(Array.from({ length: clients }, client))
  return (count * 1000) / (performance.now() - startedMs)
}
