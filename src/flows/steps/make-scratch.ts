import { lstatSync, mkdirSync, mkdtempSync, rmdirSync, unlinkSync } from 'node:fs'
import { rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { smallFileBytes } from '../../host.ts'

/** Makes a job's empty folder, at once: it takes less time than asking the thread pool for it. */
export const makeScratch = (folder: string): void => mkdirSync(folder, { mode: 0o700 })

/** Shows whoever clears leftovers away that a job's folder is still in use: what takes hours writes elsewhere meanwhile. */
export const stampScratch = (folder: string): void => void done(() => rmdirSync(mkdtempSync(join(folder, 'now-'))))

/** Removes a job's folder with whatever is in it, and the file beside it. What is not there is no problem. */
export async function removeScratch({ folder, file }: { readonly folder: string; readonly file: string }): Promise<void> {
  if (!done(() => rmdirSync(folder))) await rm(folder, { recursive: true, force: true })
  if (!isSmall(file) || !done(() => unlinkSync(file))) await unlink(file).catch(() => undefined)
}

const isSmall = (file: string): boolean => (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0) <= smallFileBytes

const done = (work: () => void): boolean => {
  try {
    work()
    return true
  } catch {
    return false
  }
}
