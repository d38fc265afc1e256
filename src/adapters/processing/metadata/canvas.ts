import { closeSync, constants, copyFileSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { RindleError } from '../../../core/errors.ts'
import type { Span } from '../../../core/span.ts'
import { allowanceFor, type Bytes, createBudget, inside, isAll, lookCost, stepBytes } from './bytes.ts'

/** A file that is copied when the first byte of it is to change. */
interface Canvas {
  readonly bytes: Bytes
  /** Writes out what changed. @returns where, ascending and disjoint; empty when nothing did and no copy was made */
  finish(): readonly Span[]
  close(): void
}

const cachedPages = 32

/**
 * Opens a file for edits of equal length: reads go to `path` until something changes, then to the copy at `copyPath`, which alone is
 * written. Reads and writes go through pages in memory, so that a structure costs no call; there are as many however large the file is.
 *
 * @throws RindleError `metadata_not_removable` out of every access that the file has no bytes for
 */
export const openCanvas = (path: string, copyPath: string, format: string): Canvas => {
  let file = openSync(path, 'r')
  let isCopy = false
  const { size } = fstatSync(file)
  const pages = new Map<number, Buffer>()
  const unwritten = new Set<number>()
  const spans: Span[] = []
  let left = allowanceFor(size)

  const refuse = (): never => {
    throw new RindleError('metadata_not_removable', { format })
  }
  const spend = (length: number): void => {
    left -= length + lookCost
    if (left < 0) refuse()
  }
  const writeOut = (number: number, page: Buffer): void => {
    if (unwritten.delete(number)) writeFully(file, page, number * stepBytes)
  }
  const pageAt = (number: number): Buffer => {
    const known = pages.get(number)
    if (known) return known
    if (pages.size >= cachedPages)
      for (const [oldest, page] of [...pages].slice(0, cachedPages / 2)) {
        writeOut(oldest, page)
        pages.delete(oldest)
      }
    const page = Buffer.alloc(Math.min(stepBytes, size - number * stepBytes))
    readFully(file, page, number * stepBytes)
    pages.set(number, page)
    return page
  }
  const read = (start: number, length: number): Buffer => {
    if (!inside(start, length, size)) return refuse()
    spend(length)
    const held = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const within = (start + done) % stepBytes
      done += pageAt((start + done - within) / stepBytes).copy(held, done, within)
    }
    return held
  }
  const put = (start: number, bytes: Uint8Array): void => {
    if (!isCopy) {
      copyFileSync(path, copyPath, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
      closeSync(file)
      file = openSync(copyPath, 'r+')
      isCopy = true
    }
    for (let done = 0; done < bytes.length;) {
      const within = (start + done) % stepBytes
      const number = (start + done - within) / stepBytes
      const page = pageAt(number)
      const part = bytes.subarray(done, done + page.length - within)
      page.set(part, within)
      unwritten.add(number)
      done += part.length
    }
    remember(spans, { start, end: start + bytes.length })
  }
  const write = (start: number, bytes: Uint8Array): void => {
    const kept = bytes.subarray(0, Math.max(0, size - start))
    if (kept.length > 0 && !read(start, kept.length).equals(kept)) put(start, kept)
  }
  const fill = (start: number, end: number, byte: number): void => {
    for (let at = start; at < Math.min(end, size); at += stepBytes) {
      const length = Math.min(stepBytes, end - at, size - at)
      if (!isAll(read(at, length), byte)) put(at, Buffer.alloc(length, byte))
    }
  }
  return {
    bytes: { size, read, write, fill, refuse, budget: createBudget(refuse) },
    finish: () => {
      for (const [number, page] of pages) writeOut(number, page)
      return merged(spans)
    },
    close: () => closeSync(file),
  }
}

/** Neighbours become one at once, so that blanking a long part leaves one span. */
const remember = (spans: Span[], span: Span): void => {
  const last = spans.at(-1)
  if (last && last.end === span.start) spans[spans.length - 1] = { start: last.start, end: span.end }
  else spans.push(span)
}

const merged = (spans: readonly Span[]): Span[] => {
  const disjoint: Span[] = []
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    const last = disjoint.at(-1)
    if (last && span.start <= last.end) disjoint[disjoint.length - 1] = { start: last.start, end: Math.max(last.end, span.end) }
    else disjoint.push(span)
  }
  return disjoint
}

const readFully = (file: number, into: Buffer, position: number): void => {
  for (let done = 0; done < into.length;) {
    const count = readSync(file, into, done, into.length - done, position + done)
    if (count === 0) {
      into.fill(0, done)
      return
    }
    done += count
  }
}

const writeFully = (file: number, bytes: Buffer, position: number): void => {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, position + done)
}
