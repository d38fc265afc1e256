import { rm, rmdir, unlink } from 'node:fs/promises'

/** Removes a job's folder with whatever is in it, and the file beside it. What is not there is no problem. */
export async function clearScratch({ folder, file }: { readonly folder: string; readonly file: string }): Promise<void> {
  await Promise.all([rmdir(folder).catch(() => rm(folder, { recursive: true, force: true })), unlink(file).catch(() => undefined)])
}
