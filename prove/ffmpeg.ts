import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '../src/adapters/processing/jail/programs.ts'
import { withOneServer } from './database.ts'
import { type Attack, attacks, openWorkshop } from './ffmpeg/attacks.ts'
import { leaksBare } from './ffmpeg/bare.ts'
import { type Canary, openCanary } from './ffmpeg/canary.ts'
import { type Fate, openHouse } from './ffmpeg/house.ts'
import { basesIn, type Input, inputsFor, type Name, oddNames, types } from './ffmpeg/inputs.ts'
import { endInTheMiddle } from './ffmpeg/middle.ts'
import { openStraight } from './ffmpeg/straight.ts'
import type { Walls } from './ffmpeg/walls.ts'
import { type Held, programsLeft, watch } from './ffmpeg/watch.ts'
import type { Proof, ProofContext } from './harness.ts'

const mebibyte = 1024 * 1024
/** Of a whole visit to the gate and of all variants. */
const longestMs = 150_000
/** What one program may have by the jail's limit, and what the process that started it holds besides. */
const mostBytes = 2_048 * mebibyte
const mostAttempts = 12

/** Films and sounds of strangers, made to have ffmpeg open something else, or work for ever. */
export const ffmpeg: Proof = {
  name: 'ffmpeg',
  means:
    'no file has ffmpeg or ffprobe read another one or call anybody, with the sandbox and without it; what is made to exhaust them ends within limits and in words, and what was cut short is never stored',
  unit: 'inputs',
  amount: { ci: 3, full: 150 },
  shows: { bareLeaks: 'of them opened by a bare ffmpeg', attacks: 'attacks', slowestMs: 'ms at most', peakMb: 'MB at most' },
  async run(context) {
    const { folder, random } = context
    const places = { canary: join(folder, 'canary'), made: join(folder, 'made'), on: join(folder, 'on'), off: join(folder, 'off') }
    mkdirSync(places.made)
    const canary = await openCanary(places.canary, random.fork('canary'))
    const bubblewrap = findProgram('bwrap')
    if (bubblewrap === null) throw new Error('bubblewrap is needed: apt-get install bubblewrap')
    return withOneServer(async () => {
      const walls: Walls[] = []
      try {
        const open = async (name: 'on' | 'off', program: string | null): Promise<void> => {
          const straight = openStraight(join(places[name], 'straight'), program, canary)
          const house = await openHouse(places[name], { hasSandbox: program !== null })
          walls.push({ name: program === null ? 'without the sandbox' : 'in the sandbox', house, straight: await straight })
        }
        await Promise.all([open('on', bubblewrap), open('off', null)])
        const disguised = await giveInputs(context, { walls, canary, made: places.made })
        const attacked = await attackAll(context, { walls, made: places.made })
        const ended = await endInTheMiddle(context, { walls, made: places.made })
        return { runs: disguised.inputs, figures: { ...disguised, ...attacked, ended } }
      } finally {
        for (const { house, straight } of walls) {
          await straight.close()
          await house.close()
          const left = readdirSync(house.scratch)
          if (left.length > 0) context.breach(`left in the scratch folder: ${left.join()}`)
        }
        await canary.close()
        if (programsLeft().length > 0) context.breach(`still running: ${programsLeft().join()}`)
      }
    })
  },
}

interface Scene {
  readonly walls: readonly Walls[]
  readonly canary: Canary
  readonly made: string
}

interface Given {
  readonly input: Input
  readonly name: Name
  /** For the file on the disk; what a client says does not get there. */
  readonly filename: string
}

const giveInputs = async (context: ProofContext, { walls, canary, made }: Scene) => {
  const { breach, note, signal } = context
  const chosen = chosenInputs(context, inputsFor(canary, await basesIn(made)))
  const tally = { inputs: 0, bareLeaks: 0, kinds: new Set(chosen.map(({ input }) => input.name)).size, calls: 0 }
  const leaking = new Set<string>()
  for (const { input, name, filename } of chosen) {
    if (signal.aborted) break
    const what = `${input.name} called ${filename}`
    if (!leaking.has(input.name) && (await leaksBare(canary.folder, input, canary))) leaking.add(input.name)
    canary.touched()
    const watching = walls.map(({ house }) => watch(house.scratch))
    const wrong = await Promise.all(walls.map((one) => giveOne(one, canary, { input, name, filename })))
    const held = watching.map((one) => one.stop())
    for (const text of [...wrong.flat(), ...canary.touched(), ...(held[0]?.lawless ?? [])]) breach(`${what}: ${text}`)
    tally.inputs += 1
    tally.calls += held[0]?.programs ?? 0
    if (tally.inputs % 25 === 0) note(`${tally.inputs} inputs`)
  }
  tally.bareLeaks = leaking.size
  if (tally.bareLeaks === 0) breach('a bare ffmpeg opened nothing either, so nothing was shown')
  if (tally.calls === 0) breach('neither ffmpeg nor ffprobe was seen at work')
  return tally
}

/** Playlists that a bare ffmpeg follows come first, so that a small run shows that as well. */
const chosenInputs = ({ random, amount }: ProofContext, inputs: readonly Input[]): Given[] => {
  const [first, ...rest] = random
    .fork('inputs')
    .shuffle(inputs.filter(({ name }) => name.startsWith('hls by path')))
    .concat(random.fork('rest').shuffle(inputs))
  const names = Object.keys(types).filter(isName)
  const all = first ? [first, ...rest] : rest
  return Array.from({ length: amount }, (_, index) => {
    const input = all[index % all.length] ?? inputs[0]
    const name = input?.as ?? random.fork(`name ${index}`).pick(names)
    const odd = random.fork(`odd ${index}`)
    return { input, name, filename: odd.chance(0.4) ? odd.pick(oddNames) : `film.${name}` }
  }).flatMap(({ input, ...more }) => (input ? [{ input, ...more }] : []))
}

const isName = (name: string): name is Name => Object.hasOwn(types, name)

/** Through the whole app as a client would send it, and past all that would refuse it. */
const giveOne = async ({ name: walls, house, straight }: Walls, canary: Canary, { input, name, filename }: Given): Promise<string[]> => {
  const { bytes, holds = 'nothing' } = input
  const fate = await house.send(/^(?:avi|mpg|ts|aac|aif|caf|amr)$/.test(name) ? 'raw' : 'lesson', `lesson.${name}`, bytes)
  const told = await house.told()
  const seen = canary.seenBelow(house.objects)
  const isIn = fate.state === 'ready' || fate.state === 'degraded'
  const said = await straight.give(bytes, filename, types[name])
  return [
    ...(canary.isSeenIn(told) ? ['the canary is seen in a row or in the log'] : []),
    ...(seen === null ? [] : [`the canary is seen in ${seen}`]),
    ...(isIn && holds !== 'film' ? [`it is ${fate.state}`] : []),
    ...(fate.isSettled ? [] : [`it has come to no end: ${fate.state}`]),
    ...said.leaks.map((where) => `past the gate the canary is seen in ${where}`),
    ...(said.gate === 'pass' && holds !== 'film' ? ['it passes the probe'] : []),
    ...(said.made.length > 0 && holds === 'nothing' ? [`past the gate ${said.made.join()} were made`] : []),
  ].map((text) => `${walls}: ${text}`)
}

const attackAll = async (context: ProofContext, { walls, made }: Pick<Scene, 'walls' | 'made'>) => {
  const { breach, note, random, signal } = context
  const tally = { attacks: 0, slowestMs: 0, peakMb: 0, peakDiskMb: 0, refused: 0 }
  const workshop = openWorkshop(made)
  for (const [index, attack] of chosenAttacks(context).entries()) {
    const { house } = walls[index % walls.length] ?? walls[0] ?? {}
    if (signal.aborted || !house) break
    const bytes = await attack.bytes(workshop, random.fork(attack.name))
    const watching = watch(house.scratch)
    const started = performance.now()
    const fate = await house.send(attack.profile, attack.filename, bytes)
    const ms = Math.round(performance.now() - started)
    const held = watching.stop()
    for (const text of judge(fate, { held, ms, byteSize: bytes.length })) breach(`${attack.name}: ${text}`)
    if (ms > longestMs / 4) note(`${attack.name}: ${fate.state} after ${ms} ms`)
    tally.attacks += 1
    tally.slowestMs = Math.max(tally.slowestMs, ms)
    tally.peakMb = Math.max(tally.peakMb, mb(held.residentBytes))
    tally.peakDiskMb = Math.max(tally.peakDiskMb, mb(held.diskBytes))
    tally.refused += Number(fate.state !== 'ready')
  }
  return tally
}

const leastAttacks = 1
/** In a tenth of a full run, a tenth of what is quick. */
const chosenAttacks = ({ random, size }: ProofContext): readonly Attack[] => {
  const order = random.fork('attacks').shuffle(attacks)
  if (size === 'full') return order
  const quick = order.filter(({ isSlow }) => !isSlow)
  return quick.slice(0, size === 'ci' ? leastAttacks : 8)
}

const judge = (fate: Fate, { held, ms, byteSize }: { held: Held; ms: number; byteSize: number }): string[] => {
  const { state, variants, words, attempts, isSettled } = fate
  const open = Object.entries(variants).filter(([, one]) => one !== 'ready' && one !== 'failed')
  const failed = Object.values(variants).filter((one) => one === 'failed').length
  const mostDisk = 2 * (byteSize + 64 * mebibyte) + 1024 * mebibyte
  const left = programsLeft()
  return [
    ...(isSettled && open.length === 0 ? [] : [`it has come to no end: ${state}, ${open.join(' ')}`]),
    ...(state === 'ready' || words.length > 0 ? [] : [`it is ${state} without a word`]),
    ...(words.length < failed ? [`${failed} variants failed with ${words.length} words`] : []),
    ...(attempts > mostAttempts ? [`it was tried ${attempts} times`] : []),
    ...(ms > longestMs ? [`${ms} ms`] : []),
    ...(held.residentBytes > mostBytes ? [`${mb(held.residentBytes)} MB of memory`] : []),
    ...(held.diskBytes > mostDisk ? [`${mb(held.diskBytes)} MB in the scratch folder`] : []),
    ...held.lawless,
    ...(left.length > 0 ? [`still running: ${left.join()}`] : []),
  ]
}

const mb = (bytes: number): number => Math.round(bytes / 1_000_000)
