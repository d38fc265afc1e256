import type { FileHandle } from 'node:fs/promises'

const windowBytes = 1_048_576

/** A file from its beginning to its end, in constant memory; each window repeats the last `overlap` bytes of the one before. */
export async function* windowsOf(file: FileHandle, overlap: number): AsyncGenerator<{ readonly at: number; readonly bytes: Buffer }> {
  let held = 0
  const buffer = Buffer.alloc(windowBytes + overlap)
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(buffer, held, windowBytes, at)
    if (bytesRead === 0) return
    yield { at: at - held, bytes: buffer.subarray(0, held + bytesRead) }
    at += bytesRead
    const end = held + bytesRead
    held = Math.min(overlap, end)
    buffer.copyWithin(0, end - held, end)
  }
}

export const readAt = async (file: FileHandle, start: number, length: number): Promise<Buffer> => {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start)
  return buffer.subarray(0, bytesRead)
}
