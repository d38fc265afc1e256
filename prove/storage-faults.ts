import { join } from 'node:path'
import { createJail } from '../src/adapters/processing/jail.ts'
import { isRindleError } from '../src/core/errors.ts'
import { openBucket, type TestBucket } from '../test/services/bucket.ts'
import { chosenEngine, withOneServer } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import type { Proof, ProofContext } from './harness.ts'
import { type Call, Waiting } from './storage-faults/call.ts'
import { type Fault, faults, wrong } from './storage-faults/faults.ts'
import { type Lane, openFaultyLane, withSkewedClocks } from './storage-faults/lane.ts'
import { objectCalls } from './storage-faults/object-calls.ts'
import { formsOf, secretIn } from './storage-faults/secrecy.ts'
import { uploadCalls } from './storage-faults/upload-calls.ts'
import { workerCalls } from './storage-faults/worker-calls.ts'
import { silentLogger } from '../src/adapters/telemetry/logger.ts'

const lanesAtMost = 3
/** The longest any call may take, the wrongest storage included. */
const boundMs = 30_000

/** One thing goes wrong, and one call is made. */
interface Trial {
  readonly fault: Fault
  readonly call: Call
}

/** Every call that touches storage. */
const calls: readonly Call[] = [...uploadCalls, ...objectCalls, ...workerCalls]
const trials: readonly Trial[] = faults.flatMap((fault) => calls.map((call) => ({ fault, call })))

/** Whatever storage does, the app is told what it can do about it, and nothing that it must not know. */
export const storageFaults: Proof = {
  name: 'storage-faults',
  means:
    'whatever goes wrong with storage ends every call in time as a typed error, retryable or not, or leaves a row that waits; then the same session completes, and no secret is in any message, log or row',
  unit: 'faults met by calls',
  amount: { ci: 60, full: trials.length },
  shows: { faults: 'ways to go wrong', calls: 'calls', slowestMs: 'ms at most' },
  async run(context) {
    if (amountOnGateway(context, 1, 'tried') === 0) return { runs: 0 }
    const chosen = choose(context)
    const bucket = await openBucket()
    try {
      const slowestMs = await withOneServer(() => withSkewedClocks(() => tryAll(context, bucket, chosen)))
      return { runs: chosen.length, figures: { faults: faults.length, calls: calls.length, slowestMs } }
    } finally {
      await bucket.close()
    }
  },
}

const isHit = ({ fault, call }: Trial): boolean => call.needs.some((need) => fault.hits(need))

/** Every fault and every call as often as any other; what meets no harm only when everything else is tried. */
const choose = ({ amount, random }: ProofContext): readonly Trial[] => {
  const seen = { faults: new Map<Fault, number>(), calls: new Map<Call, number>() }
  const timesSeen = ({ fault, call }: Trial): number =>
    (seen.faults.get(fault) ?? 0) + (seen.calls.get(call) ?? 0) + (isHit({ fault, call }) ? 0 : trials.length)
  const left = random.shuffle(trials)
  const chosen: Trial[] = []
  while (chosen.length < Math.min(amount, trials.length)) {
    const least = Math.min(...left.map(timesSeen))
    const [next] = left.splice(
      left.findIndex((trial) => timesSeen(trial) === least),
      1,
    )
    if (!next) break
    chosen.push(next)
    seen.faults.set(next.fault, (seen.faults.get(next.fault) ?? 0) + 1)
    seen.calls.set(next.call, (seen.calls.get(next.call) ?? 0) + 1)
  }
  return chosen
}

const tryAll = async (context: ProofContext, bucket: TestBucket, chosen: readonly Trial[]): Promise<number> => {
  const { folder, random, signal } = context
  const jail = createJail({ logger: silentLogger })
  const engine = chosenEngine()
  let next = 0
  let slowestMs = 0
  const run = async (name: string): Promise<void> => {
    const lane = await openFaultyLane({ name, engine, folder: join(folder, name), bucket, jail, random: random.fork(name) })
    try {
      for (let trial = chosen[next++]; trial && !signal.aborted; trial = chosen[next++])
        slowestMs = Math.max(slowestMs, await tryOne(context, lane, bucket, trial))
      await checkLedger(context, lane)
    } finally {
      await lane.close()
    }
  }
  const lanes = engine.concurrent ? Math.min(lanesAtMost, Math.ceil(chosen.length / 20)) : 1
  try {
    await Promise.all(Array.from({ length: lanes }, (_, index) => run(`lane${index}`)))
  } finally {
    await jail.close()
  }
  return slowestMs
}

/** @returns how long the call took while storage went wrong. */
const tryOne = async (context: ProofContext, lane: Lane, bucket: TestBucket, { fault, call }: Trial): Promise<number> => {
  const breach = (text: string): void => context.breach(`${fault.name}, ${call.name}: ${text}`)
  lane.clock.setTo(new Date())
  const prepared = await call.prepare(lane)
  lane.logged.length = 0
  lane.suffer(fault)
  const began = performance.now()
  const outcome = await prepared.attempt().catch((err: unknown) => new Thrown(err))
  const ms = Math.round(performance.now() - began)
  lane.suffer(null)
  const problem = judge({ fault, call }, outcome)
  if (problem) breach(problem)
  if (ms > boundMs) breach(`it took ${ms} ms`)
  else if (ms > boundMs / 6) context.note(`${fault.name}, ${call.name}: ${ms} ms`)
  const failed = outcome instanceof Thrown || outcome instanceof Waiting
  const left = failed ? await prepared.left?.() : null
  if (left) breach(`afterwards ${left}`)
  await checkSecrets(lane, bucket, outcome, breach)

  await lane.proxy.quiet()
  lane.clock.setTo(new Date())
  const wrongAfter = await prepared.again().catch((err: unknown) => `the call fails: ${String(err)}`)
  if (wrongAfter) breach(`once storage is well again ${wrongAfter}`)
  return ms
}

class Thrown {
  readonly err: unknown

  constructor(err: unknown) {
    this.err = err
  }
}

/** What is wrong with how a call ended. */
const judge = (trial: Trial, outcome: unknown): string | null => {
  const { fault, call } = trial
  const hit = isHit(trial)
  if (outcome instanceof Waiting) return call.waits && hit ? null : `it waits (${outcome.how}), although nothing hinders it`
  if (!(outcome instanceof Thrown)) return hit ? 'it succeeds, although storage fails' : null
  const { err } = outcome
  if (call.waits) return `a job throws ${String(err)}`
  if (!isRindleError(err)) return `it throws what is no error of ours: ${String(err)}`
  if (!hit) return `it throws ${err.code}, although nothing hinders it`
  if (err.code !== fault.code) return `it throws ${err.code} (${err.message}), not ${fault.code}`
  const retryable = fault.code === 'storage_failed'
  return err.retryable === retryable ? null : `it is ${err.retryable ? '' : 'not '}retryable`
}

const checkSecrets = async (lane: Lane, bucket: TestBucket, outcome: unknown, breach: (text: string) => void): Promise<void> => {
  const { credentials, guest } = bucket
  const secrets = new Map<string, string>([
    [credentials.secretAccessKey, 'the secret key'],
    [credentials.accessKeyId, 'the access key id'],
    [guest.secretAccessKey, "the guest's secret key"],
    [guest.accessKeyId, "the guest's access key id"],
    ...Object.entries(wrong).map(([name, value]) => [value, `the wrong ${name}`] as const),
    ...[...lane.proxy.signatures].map((signature) => [signature, 'a signature'] as const),
  ])
  const places = {
    'the error': outcome instanceof Thrown ? formsOf(outcome.err) : [],
    'the log': lane.logged,
    'the rows': [await lane.rows()],
  }
  for (const [place, texts] of Object.entries(places)) {
    const found = texts.map((text) => secretIn(text, secrets)).find((name) => name !== null)
    if (found) breach(`${found} is in ${place}`)
  }
}

/** Nothing lies in storage that no row knows, and nothing is missing that a row calls present. */
const checkLedger = async ({ breach }: ProofContext, lane: Lane): Promise<void> => {
  const rows = await lane.database.query('select key, state from rindle.media_objects')
  const known = new Map(rows.map(({ key, state }) => [String(key), String(state)]))
  const stored = new Set<string>()
  for await (const { key } of lane.rindle.storageAdapterFor('photo').list('')) stored.add(key)
  for (const key of stored) if (!known.has(key)) breach(`${key} has no row`)
  for (const [key, state] of known) if (state === 'present' && !stored.has(key)) breach(`the ${key} that a row calls present is not there`)
}
