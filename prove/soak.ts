import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isRindleError } from '../src/core/errors.ts'
import { faultyCarrier } from '../src/testing/faulty-carrier.ts'
import { faultyJail } from '../src/testing/faulty-jail.ts'
import { faultyQueue } from '../src/testing/faulty-queue.ts'
import { faultyStorage } from '../src/testing/faulty-storage.ts'
import { chosenEngine, withOneServer } from './database.ts'
import type { Proof, ProofContext, Random } from './harness.ts'
import { endAndJudge } from './nth/run.ts'
import { openTestbed, type Testbed, type Trouble } from './scenarios/testbed.ts'
import { createWorld, type PlayedWorld } from './scenarios/world.ts'
import { lifeOf } from './soak/lives.ts'
import { type Held, heldNow } from './soak/resident.ts'
import { told } from './told.ts'

const faultRate = 0.02
/** What hangs takes hours of the clock's time, in which a worker looks and looks: that is for other proofs. */
const withoutHanging = {
  storage: ['fail_before', 'fail_after', 'slow', 'http_5xx', 'ok_with_error', 'cut_body'],
  jail: ['fail_before', 'killed', 'slow', 'cut_output'],
} as const
/** So many files are under way at once, at most. */
const togetherAtMost = 20
/** What the last tenth may hold more than the first: caches that grow to their bounds, and what is measured by chance. */
const allowance = { bytes: 6 * 1024 * 1024, descriptors: 4, scratchFiles: 0 } as const

/** One decoder in two hundred is killed, and a file over which two die is held back, as it should be: one in some ten thousand. */
const mostHeldBack = 0.001

/** Files come and go for long, with two calls of a hundred going wrong: nothing is held on to. */
export const soak: Proof = {
  name: 'soak',
  means:
    'after 10,000 whole lives of files, with two faults in a hundred calls, memory, open files and the scratch folder are where they were',
  unit: 'lifecycles',
  amount: { ci: 40, full: 10_000 },
  shows: { faults: 'faults' },
  async run(context) {
    if (!existsSync('/proc/self/fd')) return { runs: 0 }
    return withOneServer(async () => {
      const folder = join(context.folder, 'scratch')
      const testbed = await openTestbed({ engine: chosenEngine(), folder })
      const faults = troubleAt(testbed, context.random)
      await testbed.begin(faults.trouble, context.breach)
      const held: Held[] = []
      const together = Math.min(togetherAtMost, Math.ceil(context.amount / 10))
      const batches = Math.max(10, Math.ceil(context.amount / together))
      let lives = 0
      let heldBack = 0
      for (let batch = 0; batch < batches && !context.signal.aborted; batch += 1) {
        lives += together
        heldBack += await liveAll(context, testbed, { batch, together })
        if ((batch + 1) % Math.floor(batches / 10) !== 0 || held.length === 10) continue
        held.push(await heldNow(folder))
        context.note(`${lives} lives: ${spoken(held.at(-1))}`)
      }
      if (heldBack > 1 + lives * mostHeldBack)
        context.breach(`${heldBack} of ${lives} files were held back for decoders that died over them`)
      await judge(context, testbed, held)
      const { last } = compared(context, held)
      return {
        runs: lives,
        figures: { faults: faults.count(), heldBack, heldMebibytes: Math.round(last.bytes / 1024 / 1024), descriptors: last.descriptors },
      }
    })
  },
}

const spoken = (held: Held | undefined): string =>
  held ? `${(held.bytes / 1024 / 1024).toFixed(1)} MiB, ${held.descriptors} descriptors, ${held.scratchFiles} files in scratch` : 'nothing'

/** Two calls of a hundred to every port. */
const troubleAt = ({ clock }: Testbed, random: Random): { readonly trouble: Trouble; count(): number } => {
  const options = () => ({ seed: random.int(2 ** 31), rate: faultRate, slowMs: 5_000, clock })
  const [carrier, queue, jail] = [
    faultyCarrier(options()),
    faultyQueue(options()),
    faultyJail({ ...options(), kinds: withoutHanging.jail }),
  ]
  const logs: (readonly unknown[])[] = [carrier.log, queue.log, jail.log]
  return {
    trouble: {
      storage(adapter) {
        const storage = faultyStorage(adapter, { ...options(), kinds: withoutHanging.storage })
        logs.push(storage.log)
        return storage.adapter
      },
      carrier: carrier.carrier,
      queue: queue.queue,
      jail: jail.jail,
    },
    count: () => logs.reduce((sum, log) => sum + log.length, 0),
  }
}

/** @returns how many files were held back, since two decoders had died over them. */
const liveAll = async (
  { random, breach }: ProofContext,
  testbed: Testbed,
  { batch, together }: { readonly batch: number; readonly together: number },
): Promise<number> => {
  const worldOf = (name: string): PlayedWorld =>
    createWorld(testbed, { random: random.fork(name), label: name, undisturbed: false, breach: (text) => breach(`${name}: ${text}`) })
  const worlds = Array.from({ length: together }, (_, index) => worldOf(`life ${batch} ${index}`))
  const common = worldOf(`batch ${batch}`)
  const each = (run: (world: PlayedWorld, index: number) => Promise<void>): Promise<unknown> =>
    Promise.all(worlds.map((world, index) => run(world, index).catch((err: unknown) => breach(`${world.label} broke off: ${told(err)}`))))
  const assets: string[] = []
  let heldBack = 0
  await each(async (world, index) => {
    assets[index] = await lifeOf(index).begin(world)
  })
  await common.settle()
  await each(async (world, index) => {
    if (await lifeOf(index).end(world, assets[index] ?? '')) heldBack += 1
  })
  await common.settle()
  await each(async (world, index) => {
    const left = await world.call(() => world.rindle.asset(assets[index] ?? '')).catch(orNothing)
    world.expect(left === null, `nobody wants the file any more, and it is ${left?.state}`)
  })
  await common.quiesce()
  await testbed.witness.check()
  testbed.witness.forget()
  return heldBack
}

const orNothing = (err: unknown): null => {
  if (isRindleError(err) && err.code === 'argument_invalid') return null
  throw err
}

const judge = async ({ breach, random }: ProofContext, testbed: Testbed, held: readonly Held[]): Promise<void> => {
  testbed.calm()
  if (held.length < 2) breach('too little was measured')
  const world = createWorld(testbed, { random, label: 'the end', undisturbed: false, breach })
  await endAndJudge(testbed, world, breach)
  await testbed.close()
}

/** The first tenth warms up; what the second holds, the last must not much exceed. */
const compared = ({ breach }: ProofContext, held: readonly Held[]): { readonly last: Held } => {
  const first = held[Math.min(1, held.length - 1)] ?? { bytes: 0, descriptors: 0, scratchFiles: 0 }
  const last = held.at(-1) ?? first
  for (const what of ['bytes', 'descriptors', 'scratchFiles'] as const)
    if (last[what] > first[what] + allowance[what]) breach(`${what}: ${first[what]} in the beginning, ${last[what]} at the end`)
  return { last }
}
