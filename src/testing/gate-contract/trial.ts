import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AssetKind } from '../../core/asset.ts'
import { RindleError } from '../../core/errors.ts'
import type { FileUnderGate } from '../../core/ports/file-under-gate.ts'
import { streamOf } from '../storage-contract/trial.ts'

/** A file that a case shows, as the gate would. */
export interface ContractSample {
  readonly bytes: Uint8Array
  /** Default `sample.txt`. */
  readonly filename?: string
  /** Default `text/plain`. */
  readonly contentType?: string
  /** Default `file`. */
  readonly kind?: AssetKind
  /** Pixels as displayed. Default null. */
  readonly width?: number | null
  readonly height?: number | null
}

/** A folder in which a case may write, a new one below it for every case. */
export interface Place {
  readonly folder: string
  readonly file: FileUnderGate
  /** Fails when the file, or what lies beside it, is not as it was. */
  unchanged(): Promise<void>
}

export const never = new AbortController().signal

export const show = async (
  below: string,
  { bytes, filename = 'sample.txt', contentType = 'text/plain', kind = 'file', width = null, height = null }: ContractSample,
  more: Partial<Pick<FileUnderGate, 'signal' | 'stream' | 'path' | 'assetId'>> = {},
): Promise<Place> => {
  const folder = await mkdtemp(join(below, 'case-'))
  const shelf = join(folder, 'shown')
  await mkdir(shelf)
  const path = join(shelf, 'file')
  await writeFile(path, bytes, { mode: 0o600 })
  const file: FileUnderGate = {
    assetId: '01890000-0000-7000-8000-000000000000',
    profile: 'contract',
    filename,
    contentType,
    kind,
    byteSize: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    width,
    height,
    path,
    stream: () => streamOf(bytes),
    signal: never,
    ...more,
  }
  const unchanged = async (): Promise<void> => {
    assert.deepEqual(await readdir(shelf), ['file'], 'something lies beside the file, or it is gone')
    assert.ok((await readFile(path)).equals(bytes), 'the file is not what it was')
  }
  return { folder, file, unchanged }
}

/** A file of which neither the path nor the stream can be read to its end. */
export const unreadable = async (below: string, sample: ContractSample, more: { readonly signal?: AbortSignal } = {}): Promise<Place> => {
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new RindleError('storage_failed', { operation: 'read', store: 'the contract' })),
    })
  return show(below, sample, { ...more, path: join(below, 'not', 'there'), stream })
}

/** A file whose stream gives its first half and then nothing for ever. */
export const stalling = async (below: string, sample: ContractSample, signal: AbortSignal): Promise<Place> => {
  const stream = () => {
    let sent = false
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent) return new Promise<void>(() => undefined)
        sent = true
        controller.enqueue(sample.bytes.slice(0, Math.ceil(sample.bytes.byteLength / 2)))
        return undefined
      },
    })
  }
  return show(below, sample, { signal, stream })
}

/** Chunks of one byte with empty ones between them, then larger and larger ones. */
export const inOddChunks = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let [at, size, isEmpty] = [0, 1, false]
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      isEmpty = !isEmpty
      const end = isEmpty ? at : at + size
      controller.enqueue(bytes.slice(at, end))
      if (!isEmpty && at > 256) size = Math.min(size * 2, 300_000)
      at = end
      if (at >= bytes.byteLength) controller.close()
    },
  })
}

/** Longer than anything takes that only has to stop. */
const patienceMs = 3000

/** How it ended; fails when it has not ended soon after `signal` fired. */
export const endOf = async <T>(run: () => Promise<T>, signal: AbortSignal): Promise<PromiseSettledResult<T>> => {
  const ended = Promise.allSettled([run()]).then(([outcome]) => outcome)
  const fired = new Promise<void>((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const outcome = await Promise.race([ended, fired.then(() => sleep(patienceMs, null, { ref: false }))])
  assert.ok(outcome !== null, `it was still running ${patienceMs} ms after its signal had fired`)
  return outcome
}

export const assertPart = (part: { readonly name: string; readonly timeoutSeconds?: number }): void => {
  assert.match(part.name, /^[a-z0-9][a-z0-9_-]{0,62}$/i, 'its name must be letters, digits, - and _, at most 63')
  const { timeoutSeconds = 120 } = part
  assert.ok(Number.isSafeInteger(timeoutSeconds) && timeoutSeconds >= 1, 'timeoutSeconds must be a whole number of seconds, 1 or more')
}
