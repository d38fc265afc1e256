import type { AssetKind } from '../asset.ts'

/** A file as the gate shows it to the app's own code: the bytes that will be served if all say yes, private to this job, to be read only. */
export interface FileUnderGate {
  readonly assetId: string
  readonly profile: string
  /** As it will be shown: normalised. */
  readonly filename: string
  /** What the bytes are, not what was declared. */
  readonly contentType: string
  readonly kind: AssetKind
  readonly byteSize: number
  /** Lower-case hex. */
  readonly sha256: string
  /** Pixels as displayed, of a film as well; null for what shows nothing. */
  readonly width: number | null
  readonly height: number | null
  /** All of it, on this machine's disk until the call ends. */
  readonly path: string
  /** The same bytes as a stream, from their beginning, as often as it is called. */
  stream(): ReadableStream<Uint8Array>
  /** Aborts when the time is over, when the worker stops and when another takes over. */
  readonly signal: AbortSignal
}
