import pg from 'pg'
import { contextOf } from '../../src/context.ts'
import type { MadeVariant } from '../../src/core/ports/jail.ts'
import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { createTestRindle } from '../../src/rindle.ts'
import { stagingKey } from '../../src/core/object-key.ts'
import { clients, instantJail, photo, photoProfile, secret, send, storage } from './workload.ts'

export interface LifecycleSide {
  /** One whole life: opened, signed, verified, taken through the gate with three variants, attached. */
  lifecycle(number: number): Promise<void>
  close(): Promise<void>
}

/** The flows as they ship, each called as its door would. The job's row is written; who takes it is not what is measured. */
export async function openOurs(url: string, variants: readonly MadeVariant[], scratchFolder: string): Promise<LifecycleSide> {
  const pool = new pg.Pool({ connectionString: url, max: clients })
  const store = storage()
  const rindle = createTestRindle(
    {
      profiles: { photo: photoProfile(store) },
      slots: { photo: { profile: 'photo' } },
      database: pool,
      secrets: [secret],
      baseUrl: 'http://localhost/media',
      scratchFolder,
    },
    { jail: instantJail(variants) },
  )
  await rindle.ready()
  const ctx = contextOf(rindle)
  const stop = await ctx.queue.listen(() => {})
  return {
    async lifecycle(number) {
      const { id, assetId, objectId } = await rindle.initiateUpload('photo', {
        ...{ filename: photo.filename, contentType: photo.contentType, byteSize: photo.bytes.byteLength, owner: photo.uploader },
      })
      await rindle.signUpload(id)
      await send(store, stagingKey(id, objectId ?? ''))
      await rindle.verifyCompletion(id)
      const outcome = await promoteAsset(ctx, assetId)
      if (outcome !== 'admitted') throw new Error(`the gate said ${outcome}`)
      await rindle.attach(assetId, { type: photo.ownerType, id: number }, photo.slot)
    },
    async close() {
      await stop?.()
      await rindle.close()
      await pool.end()
    },
  }
}
