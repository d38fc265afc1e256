import { createRindle, defineProfile, image } from 'rindle'
import { pglite } from 'rindle/pglite'
import { local } from 'rindle/storage/local'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'

/** The whole life of a file: received, checked, made, shown, replaced, forgotten. Run it: `npm run one-file`. */
export async function oneFile(say: (line: string) => void = console.log): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'one-file-'))
  const avatar = defineProfile({
    storage: local({ directory: join(folder, 'objects') }),
    allowMime: ['image/png', 'image/jpeg'],
    maxBytes: 8_000_000,
    variants: { thumb: image({ mode: 'fill', width: 128, height: 128 }), large: image({ width: 1024 }) },
  })
  await using rindle = createRindle({
    profiles: { avatar },
    slots: { avatar: { profile: 'avatar' } },
    database: pglite(join(folder, 'db')),
    secrets: ['a secret that only this example knows, thirty-two bytes or more'],
    baseUrl: 'http://localhost:3000/media',
  })
  await rindle.migrate()
  const worker = rindle.work()
  const ada = { type: 'User', id: 1 }
  const photo = (background: string) =>
    sharp({ create: { width: 1600, height: 900, channels: 3, background } })
      .jpeg()
      .toBuffer()

  const first = await rindle.upload('avatar', await photo('teal'), { filename: 'ada.jpg' })
  await rindle.attach(first, ada, 'avatar')
  const settled = await rindle.settled(first.id, { timeoutMs: 30_000 })
  say(`${settled.filename} is ${settled.state}: ${settled.width}×${settled.height}`)
  say(
    await rindle.pictureTag(await rindle.attachmentFor(ada, 'avatar'), {
      variants: [['thumb', '(max-width: 480px)'], 'large'],
      alt: 'Ada',
    }),
  )

  const second = await rindle.upload('avatar', await photo('tomato'), { filename: 'ada-2.jpg' })
  await rindle.attach(second, ada, 'avatar')
  await rindle.settled(second.id, { timeoutMs: 30_000 })
  for (let left = 100; (await rindle.asset(first.id)) !== null && left > 0; left -= 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
  say(`the first one is ${(await rindle.asset(first.id)) === null ? 'gone' : 'still here'}`)

  await rindle.detach(ada, 'avatar')
  for (let left = 100; (await rindle.asset(second.id)) !== null && left > 0; left -= 1)
    await new Promise((resolve) => setTimeout(resolve, 100))
  say(`the second one is ${(await rindle.asset(second.id)) === null ? 'gone' : 'still here'}`)
  await worker.stop()
  await rindle.close()
  await rm(folder, { recursive: true })
}

if (import.meta.main) await oneFile()
