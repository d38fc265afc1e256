// A photo's whole life through the package as a stranger installs it. Ends with one line of JSON.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRindle, defineProfile, image } from 'rindle'
import { pglite } from 'rindle/pglite'
import { local } from 'rindle/storage/local'
import sharp from 'sharp'

const folder = await mkdtemp(join(tmpdir(), 'rindle-life-'))
const objects = join(folder, 'objects')
const avatar = defineProfile({
  storage: local({ directory: objects }),
  allowMime: ['image/jpeg'],
  maxBytes: 8_000_000,
  variants: { thumb: image({ mode: 'fill', width: 128, height: 128, format: 'webp' }), large: image({ width: 640 }) },
})
const rindle = createRindle({
  profiles: { avatar },
  slots: { avatar: { profile: 'avatar' } },
  database: pglite(join(folder, 'db')),
  secrets: ['a secret of this journey alone, thirty-two bytes or more'],
  baseUrl: 'https://consumer.example/media',
})
await rindle.migrate()
await rindle.ready()
const worker = rindle.work()
const ada = { type: 'User', id: 1 }

const photo = await sharp({ create: { width: 1600, height: 900, channels: 3, background: 'teal' } })
  .jpeg()
  .toBuffer()
const uploaded = await rindle.upload('avatar', photo, { filename: 'ada.jpg' })
await rindle.attach(uploaded, ada, 'avatar')
const { state } = await rindle.settled(uploaded.id, { timeoutMs: 60_000 })
const attachment = await rindle.attachmentFor(ada, 'avatar')
const html = await rindle.pictureTag(attachment, { variants: [['thumb', '(max-width: 480px)'], 'large'], alt: 'Ada' })

await rindle.detach(ada, 'avatar')
const patience = performance.now() + 60_000
const left = async () => {
  // A folder may go while it is being listed.
  const entries = await readdir(objects, { recursive: true, withFileTypes: true }).catch(() => null)
  return entries === null ? 1 : entries.filter((entry) => entry.isFile()).length
}
while (((await rindle.asset(uploaded.id)) !== null || (await left()) > 0) && performance.now() < patience) await sleep(100)
const gone = (await rindle.asset(uploaded.id)) === null && (await left()) === 0

await worker.stop()
await rindle.close()
await rm(folder, { recursive: true })
console.log(JSON.stringify({ state, attached: attachment !== null, picture: /<picture/.test(html) && /640/.test(html), gone }))
