import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { Bomb } from './bombs/bomb.ts'
import { families } from './bombs/families.ts'
import { dataLimitsOf, watchPeaks } from './bombs/watch.ts'
import { type JailHost, withJailHost } from './files/jail-host.ts'
import type { Told } from './files/visiting.ts'
import type { Proof, ProofContext } from './harness.ts'

const mebibyte = 1024 * 1024
const longestMs = 12_000
const allowedGrowthBytes = 20_000_000
/** A decode whose need is at most this much keeps its process within `allowedPeakBytes`. Needs are granted on top of a dot's. */
const modestNeedBytes = 256 * mebibyte
const allowedPeakBytes = 512_000_000
/** From this one on the host's memory counts: until then it fills caches that every process fills once. */
const countedFrom = 10

/** The real jail, with default limits, is given everything that is made to exhaust whoever opens it. */
export const bombs: Proof = {
  name: 'bombs',
  means:
    'no picture, drawing or container that is made to exhaust its decoder takes more than 12 s, the memory that its header asks for, or anything of the process that waits for it',
  unit: 'bombs',
  amount: { ci: 17, full: families.reduce((sum, family) => sum + family.bombs.length, 0) },
  shows: { peakMb: 'MB at most where the header earns 256 MiB or less', slowestMs: 'ms at most', hostGrowthMb: 'MB more in the app' },
  async run(context) {
    const { folder, breach, note } = context
    const [good, dot] = [join(folder, 'good.jpg'), join(folder, 'dot.png')]
    writeFileSync(good, await photo())
    writeFileSync(
      dot,
      await sharp({ create: { width: 4, height: 4, channels: 3, background: '#456' } })
        .png()
        .toBuffer(),
    )
    return withJailHost(context, { concurrency: 1 }, async (host) =>
      explodeAll({ context, host, good, dot, pid: await host.ask('pid', null), breach, note }),
    )
  },
}

interface Scene {
  readonly context: ProofContext
  readonly host: JailHost
  readonly pid: number
  /** A photo that has to pass whatever came before it. */
  readonly good: string
  /** One that takes next to nothing: looked at before each bomb, so that the decoder is alive, and what it is granted afterwards the bomb's. */
  readonly dot: string
  readonly breach: (text: string) => void
  readonly note: (text: string) => void
}

interface Tally {
  runs: number
  peakMb: number
  largestPeakMb: number
  slowestMs: number
  hostGrowthMb: number
  decoderKilled: number
  passed: number
}

const explodeAll = async (scene: Scene) => {
  const { context, host } = scene
  const tally: Tally = { runs: 0, peakMb: 0, largestPeakMb: 0, slowestMs: 0, hostGrowthMb: 0, decoderKilled: 0, passed: 0 }
  let heldBytes = 0
  for (const { family, make, seed } of chosen(context)) {
    if (context.signal.aborted) break
    const drawn = await make(seed)
    for (const draws of family === 'svg' ? [false, true] : [false]) await explode(scene, { family, drawn, draws, tally })
    tally.runs += 1
    if (tally.runs === countedFrom) heldBytes = await host.ask('heldBytes', null)
    if (tally.runs % 10 === 0) await rest(scene, tally, heldBytes)
  }
  await rest(scene, tally, heldBytes)
  const { runs, ...figures } = tally
  return { runs, figures }
}

/** The pool still works, and the process that holds it is as it was. */
const rest = async ({ host, good, breach, note }: Scene, tally: Tally, heldBytes: number): Promise<void> => {
  const { outcome } = await host.ask('visit', { path: good, filename: 'good.jpg' })
  if (outcome !== 'pass') breach(`a good photo is ${outcome} after ${tally.runs} bombs`)
  note(`${tally.runs} bombs`)
  if (tally.runs < countedFrom) return
  const growth = (await host.ask('heldBytes', null)) - heldBytes
  tally.hostGrowthMb = Math.max(tally.hostGrowthMb, mb(growth))
  if (growth > allowedGrowthBytes) breach(`the process that waits has grown by ${mb(growth)} MB after ${tally.runs} bombs`)
}

const explode = async (
  { context: { folder }, host, pid, dot, breach, note }: Scene,
  { family, drawn, draws, tally }: { family: string; drawn: Bomb; draws: boolean; tally: Tally },
): Promise<void> => {
  const path = join(folder, drawn.filename)
  writeFileSync(path, drawn.bytes)
  const before = await host.ask('visit', { path: dot, filename: 'dot.png' })
  if (before.outcome !== 'pass') breach(`a dot is ${before.outcome} before ${family}, ${drawn.name}: ${before.message}`)
  const idleLimit = Math.max(...dataLimitsOf(pid))
  const watch = watchPeaks(pid)
  const told = await host.ask('visit', { path, filename: drawn.filename, more: draws ? { svg: 'rasterize' } : {} })
  const { residentBytes, limitBytes } = watch.stop()
  const what = `${family}, ${drawn.name}${draws ? ', to be drawn' : ''}: ${told.outcome}`
  for (const wrong of judge(told, { residentBytes, limitBytes, needBytes: limitBytes - idleLimit })) breach(`${what}, ${wrong}`)
  if (told.outcome === 'decoder_killed') note(`${what} after ${told.ms} ms at ${mb(residentBytes)} MB: ${told.message}`)
  tally.slowestMs = Math.max(tally.slowestMs, told.ms)
  tally.largestPeakMb = Math.max(tally.largestPeakMb, mb(residentBytes))
  if (limitBytes - idleLimit <= modestNeedBytes) tally.peakMb = Math.max(tally.peakMb, mb(residentBytes))
  tally.decoderKilled += Number(told.outcome === 'decoder_killed')
  tally.passed += Number(told.outcome === 'pass')
}

const judge = (told: Told, held: { residentBytes: number; limitBytes: number; needBytes: number }): string[] => {
  const { residentBytes, limitBytes, needBytes } = held
  return [
    ...(told.classified ? [] : [`which has no name: ${told.message}`]),
    ...(told.ms <= longestMs ? [] : [`${told.ms} ms`]),
    ...(Number.isFinite(limitBytes) ? [] : ['nothing limits the decoder']),
    ...(residentBytes <= limitBytes ? [] : [`${mb(residentBytes)} MB in a limit of ${mb(limitBytes)} MB`]),
    ...(needBytes > modestNeedBytes || residentBytes <= allowedPeakBytes
      ? []
      : [`${mb(residentBytes)} MB for a need of ${Math.max(0, mb(needBytes))} MB`]),
  ]
}

/** Of every family in turn, each time another: as many as are wanted. */
const chosen = ({ amount, random }: ProofContext) => {
  const all = families.flatMap(({ name, bombs }) =>
    random
      .fork(name)
      .shuffle(bombs.map((make, index) => ({ make, index })))
      .map(({ make, index }, turn) => ({ turn, family: name, make, seed: random.fork(`${name} ${index}`) })),
  )
  return all.sort((a, b) => a.turn - b.turn).slice(0, amount)
}

const photo = (): Promise<Buffer> =>
  sharp({ create: { width: 1200, height: 800, channels: 3, background: '#456', noise: { type: 'gaussian', mean: 120, sigma: 30 } } })
    .jpeg()
    .toBuffer()

const mb = (bytes: number): number => Math.round(bytes / 1_000_000)
