import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { memory } from '../../adapters/storage/memory.ts'
import { createStores } from '../../adapters/storage/stores.ts'
import { silentLogger } from '../../adapters/telemetry/logger.ts'
import { putVariants } from './put-variants.ts'
import { pictureFacts } from '../../core/variant-facts.ts'

const largeBytes = 300 * 1024

describe('storing what a decoder made', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-put-'))
    for (const [name, byteSize] of [
      ['small', 7],
      ['large', largeBytes],
    ] as const) {
      await writeFile(join(folder, name), Buffer.alloc(byteSize, 's'))
      await symlink(name, join(folder, `${name}-link`))
    }
    execFileSync('mkfifo', [join(folder, 'pipe')])
  })
  after(() => rm(folder, { recursive: true }))

  const put = async (name: string, byteSize: number) => {
    const store = memory({ name: `put-${name}` })
    const ctx = { stores: createStores({ profiles: {}, stores: [store] }), logger: silentLogger }
    const facts = {
      contentType: 'image/webp',
      extension: 'webp',
      ...pictureFacts({ width: 1, height: 1 }),
      byteSize,
      sha256: '0'.repeat(64),
    }
    const made = { name: 'thumb', ok: true, path: join(folder, name), ...facts } as const
    const [outcome] = await putVariants(ctx, {
      ...{ assetId: 'a', store: store.id },
      variants: [
        { id: 'v', fence: 1, name: 'thumb', digest: '', object: { id: 'o', key: `variants/a/thumb/${name}.webp` }, made, faults: 0 },
      ],
      signal: new AbortController().signal,
    })
    return { result: outcome?.result, stored: (await store.head(`variants/a/thumb/${name}.webp`))?.sizeBytes ?? null }
  }

  it('takes plain files, small and large', async () => {
    assert.deepEqual(await put('small', 7), { result: 'stored', stored: 7 })
    assert.deepEqual(await put('large', largeBytes), { result: 'stored', stored: largeBytes })
  })

  it('follows no link that was left in their place, whatever size was announced', async () => {
    assert.deepEqual(await put('small-link', 7), { result: 'later', stored: null })
    assert.deepEqual(await put('large-link', largeBytes), { result: 'later', stored: null })
  })

  it('waits at no pipe', async () => {
    assert.deepEqual(await put('pipe', 7), { result: 'later', stored: null })
  })
})
