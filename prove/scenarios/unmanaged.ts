import { isRindleError } from '../../src/core/errors.ts'
import { picture, textOf } from './people.ts'
import type { Bytes, Scenario, World } from './scenario.ts'

/** So often somebody asks for the rest of a file, for another ticket where one was over before it came, or for another key. */
const tries = 8

/** Stores under a key of its own; under another one where a lost answer has left the first one taken. */
const stored = async (world: World, how: 'store' | 'storeVariant', bytes: Bytes, name: string): Promise<string> => {
  for (let attempt = 0; ; attempt += 1) {
    const key = `unmanaged/${world.label}/${attempt}-${name}`
    try {
      return (await world.call(() => world.rindle[how]('paper', key, bytes))).key
    } catch (err) {
      if (!isRindleError(err) || err.code !== 'object_exists' || world.undisturbed || attempt + 1 === tries) throw err
    }
  }
}

const read = async (world: World, key: string): Promise<Buffer> => {
  const fetched = async (): Promise<Buffer> => {
    const chunks: Uint8Array[] = []
    const { byteSize } = await world.rindle.download('paper', key, new WritableStream({ write: (chunk) => void chunks.push(chunk) }))
    const all = Buffer.concat(chunks)
    // Of a body that ends early, who reads it sees that it is shorter than was said.
    return all.byteLength === byteSize ? all : Buffer.alloc(0)
  }
  let found = await world.call(fetched)
  for (let attempt = 1; found.byteLength === 0 && attempt < tries; attempt += 1) found = await world.call(fetched)
  return found
}

const keep: Scenario = {
  name: 'store',
  means: 'The app stores a file of its own, reads it back and deletes it; elsewhere than below unmanaged/ it may not.',
  calls: ['store', 'head', 'download', 'delete'],
  async play(world) {
    const { rindle } = world
    const bytes = textOf(world, 'an invoice')
    const key = await stored(world, 'store', bytes, 'invoice.txt')
    const head = await world.call(() => rindle.head('paper', key))
    world.expect(head?.byteSize === bytes.byteLength, `${head?.byteSize} of ${bytes.byteLength} bytes are stored`)
    world.expect((await read(world, key)).equals(Buffer.from(bytes)), 'other bytes come back than were stored')
    await world.refused(['object_exists'], () => rindle.store('paper', key, bytes))
    await world.refused(['object_key_reserved'], () => rindle.store('paper', 'sealed/a/b', bytes))
    await world.call(() => rindle.delete('paper', key))
    await world.settle()
    world.expect((await world.call(() => rindle.head('paper', key))) === null, 'a deleted file is there')
    await world.call(() => rindle.delete('paper', key))
  },
}

const rendition: Scenario = {
  name: 'store-variant',
  means: 'The app stores a rendition that it made itself, and it stays.',
  calls: ['storeVariant', 'head', 'storageAdapterFor'],
  async play(world) {
    const bytes = picture(world)
    const key = await stored(world, 'storeVariant', bytes, 'mine.png')
    await world.settle()
    const head = await world.call(() => world.rindle.head('paper', key))
    world.expect(head?.contentType === 'image/png', `what was stored is ${head?.contentType}`)
    const bare = await world.call(() => world.rindle.storageAdapterFor('paper').head(key))
    world.expect(bare?.sizeBytes === bytes.byteLength, 'the store does not hold what was stored')
    world.expect((await read(world, key)).equals(Buffer.from(bytes)), 'other bytes come back than were stored')
  },
}

const brokenStore: Scenario = {
  name: 'store-of-a-broken-source',
  means: 'What the app stores breaks off in the middle: it is told, and nothing stays.',
  calls: ['store', 'head'],
  async play(world) {
    async function* breaking() {
      yield textOf(world, 'a beginning')
      throw new RangeError('the line went dead')
    }
    const key = `unmanaged/${world.label}/broken.txt`
    await world.refused(['upload_source_failed', 'object_exists'], () => world.rindle.store('paper', key, breaking()))
    await world.settle()
    world.expect((await world.call(() => world.rindle.head('paper', key))) === null, 'half a file is stored')
  },
}

const ticket: Scenario = {
  name: 'presigned-put',
  means: 'A client writes below unmanaged/ with a ticket; nobody writes with another one; the worker sees that it is there.',
  calls: ['presignedPut', 'head', 'delete'],
  async play(world) {
    const { rindle } = world
    const bytes = picture(world)
    const [used, unused] = [`unmanaged/${world.label}/used.png`, `unmanaged/${world.label}/unused.png`]
    const sign = (key: string) => world.call(() => rindle.presignedPut('paper', key, 60, { byteSize: bytes.byteLength }))
    await sign(unused)
    for (let attempt = 0; attempt < tries; attempt += 1) if (await world.send(await sign(used), bytes)) break
    world.expect((await world.call(() => rindle.head('paper', used)))?.byteSize === bytes.byteLength, 'what the client wrote is not there')
    await world.pass(2 * 86_400)
    await world.settle()
    world.expect((await read(world, used)).equals(Buffer.from(bytes)), 'what the client wrote has other bytes')
    await world.call(() => rindle.delete('paper', used))
    await world.settle()
    world.expect((await world.call(() => rindle.head('paper', used))) === null, 'a deleted file is there')
  },
}

export const unmanaged: readonly Scenario[] = [keep, rendition, brokenStore, ticket]
