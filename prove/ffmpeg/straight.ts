import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { makeChildFolder } from '../../src/adapters/processing/jail/child-folder.ts'
import { decoderEntry, launch } from '../../src/adapters/processing/jail/launch.ts'
import { replyDescriptor } from '../../src/adapters/processing/jail/protocol.ts'
import { findSandbox } from '../../src/adapters/processing/jail/sandbox.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'
import type { Canary } from './canary.ts'
import type { Answered } from './straight-child.ts'

/** The library's own calls of both programs, past everything that would refuse a file before it. */
export interface Straight {
  give(bytes: Uint8Array, name: string, contentType: string): Promise<Answered & { readonly leaks: readonly string[] }>
  close(): Promise<void>
}

/** In a child as the jail starts it, with the same walls or, without bubblewrap, with none. The canary's files lie beside each input. */
export const openStraight = async (folder: string, bubblewrap: string | null, canary: Canary): Promise<Straight> => {
  const { sandbox, means } = await findSandbox(bubblewrap, decoderEntry(), process.execPath)
  if (bubblewrap !== null && sandbox === null) throw new Error(means)
  mkdirSync(folder, { recursive: true })
  const place = makeChildFolder(folder, { isApart: sandbox !== null, logger: silentLogger })
  canary.copyTo(place.input)
  const code = join(place.input, 'straight-child.mts')
  copyFileSync(fileURLToPath(new URL('straight-child.ts', import.meta.url)), code)
  const source = new URL('../../src', import.meta.url).href
  const node = ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning', code, source]
  const launched = launch(sandbox, place, node)
  launched.hold(true)
  const pipe = launched.child.stdio[replyDescriptor]
  if (!(pipe instanceof Readable)) throw new Error('the child cannot answer')
  const lines = createInterface({ input: pipe })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the child is gone: ${launched.end()}: ${launched.lastLine()}`)
    return value
  }
  const say = (request: unknown): void => void launched.child.stdin?.write(`${JSON.stringify(request)}\n`)
  await next()
  let turn = 0
  return {
    async give(bytes, name, contentType) {
      const path = join(place.input, name)
      const output = join(place.output, String((turn += 1)))
      writeFileSync(path, bytes)
      say({ path, contentType, folder: output })
      const answered: Answered = JSON.parse(await next())
      const leaks = canary.isSeenIn(answered.said) ? ['what was said'] : []
      const seen = canary.seenBelow(output)
      rmSync(path)
      say({ forget: output })
      return { ...answered, leaks: [...leaks, ...(seen === null ? [] : [seen])] }
    },
    async close() {
      await launched.kill()
      await place.remove()
    },
  }
}
