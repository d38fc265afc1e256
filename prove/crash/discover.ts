/** Plays for a while and prints every point that is passed: `node --conditions=rindle-source prove/crash/discover.ts [SECONDS] [local|s3] [DEATHS]`. */
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withOneServer } from '../database.ts'
import { cpuMsOfTree, createRandom, type ProofContext } from '../harness.ts'
import { openLane } from './lane.ts'
import { storeOf } from './points.ts'
import { createTally } from './tally.ts'

const [seconds = '30', store = 'local', deaths = '0'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'rindle-crash-'))
const cacheFolder = join(folder, 'compiled')
mkdirSync(cacheFolder)
const say = (text: string): void => console.log(text)
await withOneServer(async () => {
  const tally = createTally(Number(deaths) > 0 ? [...storeOf.keys()] : ['none'], () => Math.max(1, Number(deaths)))
  const proof: ProofContext = {
    ...{ size: 'ci' as const, amount: 1, seed: 1, random: createRandom(1), folder, corpus: [], signal: new AbortController().signal },
    ...{ breach: (text: string) => say(`BREACH ${text}`), note: say },
  }
  const lane = await openLane({ proof, name: store, store: store === 's3' ? 's3' : 'local', jail: 'plain', factor: 40, tally, cacheFolder })
  await lane.batch(Infinity, Number(seconds) * 1000)
  say(`${(cpuMsOfTree() / 1000).toFixed(1)} s of CPU time`)
  for (const [point, passings] of [...tally.passings].sort()) say(`${tally.hits.get(point) ?? 0}\t${passings}\t${point}`)
  for (const [name, begun] of [...tally.begun.all].sort()) say(`${tally.ended.all.get(name) ?? 0} of ${begun}\t${name}`)
  for (const [name, count] of tally.other.all) say(`${count}\t${name}`)
  await lane.close()
})
process.exit()
