import { rmdirSync, rmSync } from 'node:fs'
import { unlink } from 'node:fs/promises'

/** Removes a job's folder with whatever is in it, and the file beside it. What is not there is no problem. */
export async function clearScratch({ folder, file }: { readonly folder: string; readonly file: string }): Promise<void> {
  try {
    rmdirSync(folder)
  } catch {
    rmSync(folder, { recursive: true, force: true })
  }
  await unlink(file).catch(() => undefined)
}
