import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface JailLimits {
  /** What a warm child may allocate on top of what it has. */
  readonly extraMemoryBytes: number
  /** The largest file a child may write. */
  readonly maxFileBytes: number
}

/** The whole environment of a child; nothing of ours is inherited. */
export const childEnvironment = {
  LANG: 'C.UTF-8',
  MALLOC_ARENA_MAX: '1',
  UV_THREADPOOL_SIZE: '4',
  VIPS_BLOCK_UNTRUSTED: '1',
} as const

/** Node itself does not start under a tight data limit, so limits are set from outside, once the child is warm. */
export const confine = async (pid: number, prlimit: string, limits: JailLimits): Promise<void> => {
  const dataBytes = (await dataBytesOf(pid)) + limits.extraMemoryBytes
  const args = [
    '--pid',
    String(pid),
    '--core=0:0',
    `--data=${dataBytes}:${dataBytes}`,
    `--fsize=${limits.maxFileBytes}:${limits.maxFileBytes}`,
  ]
  await run(prlimit, args, { env: {}, timeout: 10_000 })
}

/** When memory runs out, the kernel takes children before anything else. */
export const offerToKernel = async (pid: number): Promise<void> => writeFile(`/proc/${pid}/oom_score_adj`, '1000')

const dataBytesOf = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmData:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}
