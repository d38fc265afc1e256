import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { descendants, type ProofContext } from '../harness.ts'
import { openWorkshop } from './attacks.ts'
import type { Walls } from './walls.ts'

const lookEveryMs = 10

/** Ends ffmpeg while it writes. What is stored then is whole, and what is not is made again. @returns how often it was ended */
export const endInTheMiddle = async (
  { breach, random, size }: ProofContext,
  { walls, made }: { readonly walls: readonly Walls[]; readonly made: string },
): Promise<number> => {
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25:duration=8', '-f', 'lavfi', '-i', 'sine=440:duration=8']
  const film = await openWorkshop(made).make('middle.mkv', ...source, '-c:v', 'mjpeg', '-c:a', 'pcm_s16le')
  let ended = 0
  const signals = (['SIGTERM', 'SIGKILL'] as const).flatMap((signal) => walls.map((one) => ({ signal, ...one })))
  for (const { signal, house, name } of size === 'ci' ? [random.fork('middle').pick(signals)] : signals) {
    let isOver = false
    const looking = setInterval(() => {
      const pid = isOver ? undefined : descendants().find(isWriting)
      if (pid === undefined) return
      isOver = true
      end(pid, signal)
    }, lookEveryMs)
    const fate = await house.send('raw', 'lesson.mkv', film)
    clearInterval(looking)
    ended += Number(isOver)
    const what = `${signal} while ffmpeg writes, ${name}`
    if (!isOver) breach(`${what}: it was never seen`)
    const notReady = Object.entries(fate.variants).filter(([, state]) => state !== 'ready')
    if (fate.state !== 'ready' || notReady.length > 0) breach(`${what}: ${fate.state}, ${notReady.join(' ')}: ${fate.words.join(' ')}`)
    if (fate.attempts < 4) breach(`${what}: nothing was tried again`)
  }
  return ended
}

/** Encodes, and has written something by now. */
const isWriting = (pid: number): boolean => {
  const [program = '', ...args] = readCommand(pid)
  if (basename(program) !== 'ffmpeg' || !args.includes('-filter_complex')) return false
  const outputs = args.slice(args.indexOf('-filter_complex')).filter((one) => one.startsWith('file:'))
  return outputs.some((one) => (statSync(one.slice('file:'.length), { throwIfNoEntry: false })?.size ?? 0) > 0)
}

const readCommand = (pid: number): string[] => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

const end = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It was faster.
  }
}
