import { readdir } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What a process holds on to. */
export interface Held {
  /** Of the heap and of buffers beside it, after everything that can go has been collected. */
  readonly bytes: number
  readonly descriptors: number
  readonly scratchFiles: number
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

export const heldNow = async (scratchFolder: string): Promise<Held> => {
  for (let times = 0; times < 4; times += 1) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const { heapUsed, external } = process.memoryUsage()
  const [descriptors, scratch] = await Promise.all([readdir('/proc/self/fd'), readdir(scratchFolder, { recursive: true })])
  return { bytes: heapUsed + external, descriptors: descriptors.length, scratchFiles: scratch.length }
}
