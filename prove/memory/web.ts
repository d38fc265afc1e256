import { openArchive } from './archive.ts'
import { serve } from './peer.ts'
import { comeToRest, peakSinceRest } from './resident.ts'

/** The web process of an app whose clients send large files in parts: it signs, and never sees a byte of them. */
const rindle = openArchive(JSON.parse(process.argv[2] ?? '{}'))

const commands = {
  async open({ byteSize, sha256, partBytes }: { byteSize: number; sha256: string; partBytes: number }) {
    const { session, multipart } = await rindle.initiateMultipartUpload('archive', { filename: 'large.pdf', byteSize, sha256, partBytes })
    return { sessionId: session.id, partCount: multipart.partCount }
  },
  async sign({ sessionId, partNumber }: { sessionId: string; partNumber: number }) {
    const { presigned } = await rindle.signMultipartPart(sessionId, partNumber)
    return { url: presigned.url, headers: presigned.headers }
  },
  async complete(sessionId: string) {
    const { asset } = await rindle.completeMultipartUpload(sessionId)
    return asset.id
  },
  /** Waits for the gate's verdict. */
  async url(assetId: string) {
    const { state, byteSize } = await rindle.settled(assetId, { timeoutMs: 600_000 })
    return { state, byteSize, url: await rindle.url(assetId) }
  },
  rest: (_: null) => comeToRest(),
  peak: async (_: null) => peakSinceRest(),
}
export type WebCommands = typeof commands

serve(commands)
