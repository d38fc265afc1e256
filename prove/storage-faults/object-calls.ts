import { promoteAsset } from '../../src/flows/variants/promote-asset.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import { type Call, freshKey, landed, unless } from './call.ts'

const store: Call = {
  name: 'store',
  needs: ['put'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const attempt = () => lane.rindle.store('photo', freshKey(), bytes)
    return { attempt, again: async () => unless((await attempt()).byteSize === bytes.length, 'not all of it is stored') }
  },
}

const download: Call = {
  name: 'download',
  needs: ['get'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { key } = await lane.rindle.store('photo', freshKey(), bytes)
    const attempt = async () => {
      const chunks: Uint8Array[] = []
      await lane.rindle.download('photo', key, new WritableStream({ write: (chunk) => void chunks.push(chunk) }))
      return Buffer.concat(chunks)
    }
    return { attempt, again: async () => unless((await attempt()).equals(bytes), 'other bytes came') }
  },
}

const head: Call = {
  name: 'head',
  needs: ['head'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { key } = await lane.rindle.store('photo', freshKey(), bytes)
    const attempt = () => lane.rindle.head('photo', key)
    return { attempt, again: async () => unless((await attempt())?.byteSize === bytes.length, 'it is not there') }
  },
}

const remove: Call = {
  name: 'delete',
  needs: ['delete'],
  async prepare(lane) {
    const { key } = await lane.rindle.store('photo', freshKey(), await lane.picture())
    const attempt = () => lane.rindle.delete('photo', key)
    return {
      attempt,
      left: async () =>
        unless((await lane.one('select 1 as n from rindle.media_objects where key = $1', key))['n'] === 1, 'nobody remembers it'),
      async again() {
        await attempt()
        return unless((await lane.rindle.head('photo', key)) === null, 'it is still there')
      },
    }
  },
}

const urls: Call = {
  name: 'url, variantUrl',
  needs: ['sign'],
  async prepare(lane) {
    const { sessionId } = await landed(lane)
    const { asset } = await lane.rindle.verifyCompletion(sessionId)
    await promoteAsset(lane.ctx, asset.id)
    const attempt = async () => [await lane.rindle.url(asset.id), await lane.rindle.variantUrl({ id: asset.id }, 'thumb')]
    return {
      attempt,
      async again() {
        const statuses = await Promise.all((await attempt()).map(async (url) => (await sendByFetch({ method: 'GET', url })).status))
        return unless(
          statuses.every((status) => status === 200),
          `their addresses are answered ${statuses.join(', ')}`,
        )
      },
    }
  },
}

/** What an app does with objects, its own and those that are served. */
export const objectCalls: readonly Call[] = [store, download, head, remove, urls]
