import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import type { Logger } from '../../src/core/ports/logger.ts'
import { jsonLogger } from '../../src/adapters/telemetry/logger.ts'
import { formsOf } from '../storage-faults/secrecy.ts'
import type { Canaries, Place } from './canaries.ts'

/** Listens at every place where something may be said. */
export interface Ears {
  readonly logger: Logger
  /** An error that somebody was thrown, in every form. */
  hear(err: unknown): void
  /** What was answered, or is kept somewhere. */
  read(text: string, where: string): void
  /** Every row there is, a line for each, as `rowReader` has them. */
  readRows(lines: string): void
  /** How many times something was said. */
  heard(): Readonly<Record<string, number>>
  close(): void
}

const deep = { depth: 20, showHidden: true } as const

export const openEars = (canaries: Canaries, breach: (text: string) => void): Ears => {
  const counts: Record<string, number> = { logged: 0, published: 0, printed: 0, thrown: 0, read: 0 }
  const told = new Set<string>()
  const look = (text: string, where: string, place: Place): void => {
    for (const name of canaries.seenIn(text, place)) {
      if (told.has(`${name} ${where}`)) continue
      told.add(`${name} ${where}`)
      breach(`${name} is seen ${where}`)
    }
  }
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1)

  const lines = jsonLogger(
    (line) => look(line, 'in a line of the log', 'told'),
    () => new Date(0),
  )
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      count('logged')
      look(`${message} ${inspect(fields, deep)}`, `in what is logged as ${level}`, 'told')
      // Everything is written as warnings are, so that what is thought to be quiet is seen as well.
      lines.warn(fields, message)
    }
  const hearEvent = (event: unknown): void => {
    count('published')
    look(`${JSON.stringify(event)} ${inspect(event, deep)}`, 'in telemetry', 'published')
  }
  subscribe('rindle:event', hearEvent)
  const streams = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write.bind(stream)
    const listening: typeof stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      count('printed')
      look(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString(), 'on a stream of the process', 'told')
      return Reflect.apply(write, stream, [chunk, ...rest]) as boolean
    }
    stream.write = listening
    return () => void (stream.write = write)
  })

  return {
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    hear(err) {
      count('thrown')
      for (const form of formsOf(err)) look(form, 'in an error', 'thrown')
    },
    read(text, where) {
      count('read')
      look(text, where, 'stored')
    },
    readRows(lines) {
      count('read')
      const isHistory = (line: string): boolean => line.startsWith('rindle.state_moves ')
      const rows = lines.split('\n')
      look(rows.filter(isHistory).join('\n'), 'in the history', 'history')
      look(rows.filter((line) => !isHistory(line)).join('\n'), 'in a row', 'stored')
    },
    heard: () => counts,
    close() {
      unsubscribe('rindle:event', hearEvent)
      for (const restore of streams) restore()
    },
  }
}
