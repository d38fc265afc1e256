import { createRindle, defineProfile } from 'rindle'
import { local } from 'rindle/storage/local'
import { comeToRest, peakSinceRest } from './resident.ts'

/** What the web process tells of one large upload. */
export interface UploadFigures {
  readonly idleBytes: number
  readonly peakBytes: number
  readonly storedBytes: number
  readonly state: string
  readonly ms: number
}

/** The web process of the proof `memory`: opens everything, uploads something small, comes to rest, then takes the large file. */
const { url, folder, bytes } = JSON.parse(process.argv[2] ?? '{}') as { url: string; folder: string; bytes: number }

const backup = defineProfile({
  kind: 'file',
  storage: local({ directory: `${folder}/objects` }),
  allowMime: ['application/zip'],
  maxBytes: 5_000_000_000,
  variants: {},
})
const rindle = createRindle({
  profiles: { backup },
  database: url,
  secrets: ['the memory proof keeps no secret worth the name'],
})

await rindle.upload('backup', sourceOf(1_000_000), { filename: 'small.zip' })
const idleBytes = await comeToRest()

const started = performance.now()
const asset = await rindle.upload('backup', sourceOf(bytes), { filename: 'large.zip' })
const ms = Math.round(performance.now() - started)
const peakBytes = peakSinceRest()
await rindle.close()
process.send?.({ idleBytes, peakBytes, storedBytes: asset.byteSize ?? 0, state: asset.state, ms } satisfies UploadFigures, () =>
  process.disconnect?.(),
)

/** Fresh memory for every chunk, as a socket would bring it. */
function sourceOf(length: number): ReadableStream<Uint8Array> {
  let left = length
  return new ReadableStream({
    pull(controller) {
      const chunk = new Uint8Array(Math.min(left, 65_536)).fill(left % 251)
      left -= chunk.byteLength
      controller.enqueue(chunk)
      if (left === 0) controller.close()
    },
  })
}
