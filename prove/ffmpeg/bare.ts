import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Canary } from './canary.ts'
import type { Input } from './inputs.ts'

/** What ffmpeg does of its own accord, and what it does when it is let, as many a wrapper lets it. */
const open = [
  '-protocol_whitelist',
  'file,crypto,data,subfile,concat,cache,async,http,https,tls,tcp,udp,rtp,rtmp,ftp,gopher,mmst,mmsh,icecast,srtp',
]
const ms = 4_000

/** Gives a file to ffmpeg without anything of ours. @returns whether it read the canary or called it. */
export const leaksBare = async (folder: string, { bytes, opened = [] }: Input, canary: Canary): Promise<boolean> => {
  const path = join(folder, 'open.mp4')
  writeFileSync(path, bytes)
  canary.touched()
  for (const options of [[], [...open, ...opened]]) {
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...options, '-i', path, '-t', '1', '-f', 'null', '-'])
    if (canary.touched().length > 0) return true
  }
  return false
}

const run = (program: string, args: readonly string[]): Promise<void> =>
  new Promise((resolve) => void execFile(program, [...args], { timeout: ms, killSignal: 'SIGKILL', maxBuffer: 1e8 }, () => resolve()))
