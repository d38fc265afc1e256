import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { s3 } from '../src/adapters/storage/s3.ts'
import { gateStates } from '../src/core/asset.ts'
import { promoteAsset } from '../src/flows/variants/promote-asset.ts'
import { openBucket } from '../test/services/bucket.ts'
import { type Clamd, skipWithoutClamd, startClamd } from '../test/services/clamd.ts'
import { chosenEngine, withOneServer } from './database.ts'
import { amountOnGateway } from './gateway.ts'
import { filesFor, type Sent } from './gate/files.ts'
import { type House, openHouse } from './gate/house.ts'
import { rowsOf } from './gate/rows.ts'
import { refusalOf, type Way, waysHere, waysOnGateway } from './gate/ways.ts'
import type { Proof, ProofContext } from './harness.ts'

const mostVisits = 6
const lanes = 2
/** Of the files so many are sent to a real server as well. */
const gatewayShare = 1 / 8

/** A file is judged for what it is, whichever way it came: the server's own upload, a PUT, parts, onto a disk or into a bucket. */
export const gate: Proof = {
  name: 'gate',
  means:
    'a file gets the verdict that it deserves, and the same row, by every way in: valid, spoofed, polyglot, cut off, a bomb, infected, with metadata, or a film beyond a limit',
  unit: 'files',
  amount: { ci: 12, full: 420 },
  shows: { landings: 'landings', onGateway: 'files on a real S3 server' },
  async run(context) {
    const onGateway = amountOnGateway(context, gatewayShare, 'sent')
    const files = filesFor(context)
    const clamd = await startedClamd(context)
    try {
      return await withOneServer(async () => {
        const here = await sendAll(context, { files, ways: waysHere, clamd, name: 'here' })
        const there = onGateway === 0 || context.size === 'ci' ? noCounts() : await onRealServer(context, files.slice(0, onGateway), clamd)
        const runs = here.files + there.files
        return { runs, figures: { ...here.by, ways: waysHere.length, landings: here.landings + there.landings, onGateway: there.files } }
      })
    } finally {
      await clamd?.stop()
    }
  },
}

/** A real scanner beside the proof's own, save where that takes longer than all the rest. */
const startedClamd = async ({ size, note }: ProofContext): Promise<Clamd | null> => {
  if (size === 'ci') return null
  if (!skipWithoutClamd) return startClamd()
  if (process.env['CI'] === 'true') throw new Error(skipWithoutClamd)
  note(`nothing is scanned by a real scanner: ${skipWithoutClamd}`)
  return null
}

interface Counts {
  files: number
  landings: number
  /** What became of the files, by code. */
  readonly by: Record<string, number>
}

const noCounts = (): Counts => ({ files: 0, landings: 0, by: {} })

const onRealServer = async (context: ProofContext, files: readonly Sent[], clamd: Clamd | null): Promise<Counts> => {
  const { bucket, endpoint, region, credentials, close } = await openBucket()
  try {
    const gateway = s3({ bucket, endpoint, region, credentials })
    return await sendAll(context, { files, ways: waysOnGateway, clamd, name: 'gateway', gateway })
  } finally {
    await close()
  }
}

interface Round {
  readonly files: readonly Sent[]
  readonly ways: readonly Way[]
  readonly clamd: Clamd | null
  readonly name: string
  readonly gateway?: ReturnType<typeof s3>
}

const sendAll = async (context: ProofContext, { files, ways, clamd, name, gateway }: Round): Promise<Counts> => {
  const { folder, signal, note, breach } = context
  const counts = noCounts()
  const place = join(folder, name)
  mkdirSync(place)
  const house = await openHouse({ engine: chosenEngine(), folder: place, clamd, gateway: gateway ?? null })
  let next = 0
  const lane = async (): Promise<void> => {
    for (let file = files[next++]; file && !signal.aborted; file = files[next++]) {
      const bytes = new Uint8Array(await file.bytes())
      const answers: (readonly string[])[] = []
      for (const way of ways) answers.push(await answerTo(house, way, file, bytes))
      for (const [index, answer] of answers.entries()) compare(file, ways, answers[0] ?? [], { answer, way: ways[index] }, breach)
      const what = judge(file, answers[0]?.[0] ?? '', breach)
      counts.by[what] = (counts.by[what] ?? 0) + 1
      counts.landings += ways.length
      counts.files += 1
      if (counts.files % 100 === 0) note(`${counts.files} files ${name}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: lanes }, lane))
  } finally {
    await house.close()
  }
  return counts
}

/** What was said before the bytes, or all rows once the gate has spoken. */
const answerTo = async (house: House, way: Way, file: Sent, bytes: Uint8Array<ArrayBuffer>): Promise<readonly string[]> => {
  let assetId
  try {
    assetId = await way.bring(house, file, bytes)
  } catch (err) {
    return [refusalOf(err)]
  }
  for (let visit = 0; visit < mostVisits; visit++) {
    const state = (await house.rindle.asset(assetId))?.state
    if (state && !gateStates.includes(state)) break
    if (visit > 0) house.clock?.advance(7_200)
    await promoteAsset(house.ctx, assetId)
  }
  return rowsOf(house.database, assetId)
}

interface Answered {
  readonly answer: readonly string[]
  readonly way: Way | undefined
}

const compare = (
  file: Sent,
  ways: readonly Way[],
  first: readonly string[],
  { answer, way }: Answered,
  breach: (text: string) => void,
): void => {
  const state = /"state": "(\w+)"/.exec(answer[0] ?? '')?.[1]
  const waits = gateStates.find((one) => one === state)
  if (waits) breach(`${file.label}: still ${waits} after ${mostVisits} visits, by ${way?.name}`)
  if (first.join('\n') === answer.join('\n')) return
  const at = first.findIndex((line, index) => line !== answer[index])
  const [one, other] = [first[at] ?? 'nothing', answer[at < 0 ? first.length : at] ?? 'nothing']
  breach(`${file.label}: by ${ways[0]?.name} ${one}\n    and by ${way?.name} ${other}`)
}

/** @returns what became of it */
const judge = ({ label, expected, tells = {} }: Sent, row: string, breach: (text: string) => void): string => {
  const what = codeOf(row)
  const verdict = what === 'ready' || what === 'available' ? 'accepted' : what
  if (!expected.includes(verdict)) breach(`${label} has to be ${expected.join(' or ')}, and is ${verdict}`)
  for (const [column, value] of Object.entries(tells))
    if (!row.includes(`"${column}": ${JSON.stringify(value)}`)) breach(`${label} has to have ${column} ${value}: ${row}`)
  return what
}

const codeOf = (line: string): string =>
  /"error_code": "(\w+)"/.exec(line)?.[1] ?? /"state": "(\w+)"/.exec(line)?.[1] ?? line.split(':')[0] ?? ''
