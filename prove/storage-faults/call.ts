import type { SignedRequest } from '../../src/core/ports/storage.ts'
import { sendByFetch } from '../../src/testing/client-request.ts'
import type { Need } from './faults.ts'
import type { Lane } from './lane.ts'

/** One call, ready to be made. */
export interface Prepared {
  /** While storage goes wrong. */
  attempt(): Promise<unknown>
  /** What is wrong with what a failed attempt left behind; null when nothing is. */
  left?(): Promise<string | null>
  /** Once storage is well again. @returns what is wrong; null when it did what it is for. */
  again(): Promise<string | null>
}

export interface Call {
  readonly name: string
  /** What it needs of storage. */
  readonly needs: readonly Need[]
  /** A job never throws: its row waits, and says what is owed. */
  readonly waits?: true
  prepare(lane: Lane): Promise<Prepared>
}

/** What a job ends with whose row waits for another time. */
export class Waiting {
  readonly how: string

  constructor(how: string) {
    this.how = how
  }
}

export const send = async ({ method, url, headers }: SignedRequest, body: Uint8Array<ArrayBuffer>): Promise<void> => {
  const { status } = await sendByFetch({ method, url, headers, body })
  if (status !== 200) throw new Error(`a client was answered ${status}`)
}

export const unless = (holds: boolean, problem: string): string | null => (holds ? null : problem)

export const stateOf = async ({ database }: Lane, table: string, id: string): Promise<string> => {
  const [row] = await database.query(`select state from rindle.${table} where id = $1`, [id])
  return String(row?.['state'] ?? 'gone')
}

/** A session whose bytes a client has sent. */
export const landed = async (lane: Lane): Promise<{ readonly sessionId: string; readonly bytes: Buffer<ArrayBuffer> }> => {
  const bytes = await lane.picture()
  const session = await lane.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.length })
  const { presigned } = await lane.rindle.signUpload(session.id)
  await send(presigned, bytes)
  return { sessionId: session.id, bytes }
}

export const inParts = async (lane: Lane): Promise<string> => {
  const bytes = await lane.picture()
  const { session } = await lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length })
  const { presigned } = await lane.rindle.signMultipartPart(session.id, 1)
  await send(presigned, bytes)
  return session.id
}

let counted = 0

export const freshKey = (): string => `unmanaged/${(counted += 1)}.png`
