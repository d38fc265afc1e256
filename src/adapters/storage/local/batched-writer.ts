import type { FileHandle } from 'node:fs/promises'

const batchBytes = 1024 * 1024
/** Small chunks may be windows onto large buffers: this bounds what they hold. */
const batchChunks = 256

/** Gathers chunks and writes them about a mebibyte at a time, without copying them. Nothing is complete before `flush`. */
export const batchedWriter = (handle: FileHandle): { write(chunk: Uint8Array): Promise<void> | void; flush(): Promise<void> } => {
  let chunks: Uint8Array[] = []
  let waiting = 0
  const flush = async (): Promise<void> => {
    const batch = chunks
    chunks = []
    waiting = 0
    await writeAll(handle, batch)
  }
  return {
    write(chunk) {
      chunks.push(chunk)
      waiting += chunk.byteLength
      return waiting >= batchBytes || chunks.length >= batchChunks ? flush() : undefined
    },
    flush,
  }
}

/** A write may stop short: what is left is written again from there. */
const writeAll = async (handle: FileHandle, batch: readonly Uint8Array[]): Promise<void> => {
  let left = batch.filter((chunk) => chunk.byteLength > 0)
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left)
    left = after(left, bytesWritten)
  }
}

const after = (chunks: readonly Uint8Array[], written: number): Uint8Array[] => {
  let skip = written
  const left: Uint8Array[] = []
  for (const chunk of chunks) {
    if (skip < chunk.byteLength) left.push(skip > 0 ? chunk.subarray(skip) : chunk)
    skip = Math.max(0, skip - chunk.byteLength)
  }
  return left
}
