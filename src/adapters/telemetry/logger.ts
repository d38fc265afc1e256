import type { Logger } from '../../core/ports/logger.ts'

const nothing = (): void => undefined

/** Says nothing: what everything but the worker uses when the app hands in no logger. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Warnings and errors, one JSON object a line; for the worker when the app hands in no logger. `now` stamps them. */
export const jsonLogger = (write: (line: string) => void, now: () => Date): Logger => {
  const line = (level: string) => (fields: object, message: string) =>
    write(`${JSON.stringify({ level, time: now().toISOString(), message, ...fields }, readable)}\n`)
  return { debug: nothing, info: nothing, warn: line('warn'), error: line('error') }
}

/** Errors keep what tells them apart; their causes are followed, bigints written out. */
const readable = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString()
  if (!(value instanceof Error)) return value
  const { name, message, stack, cause } = value
  return { name, message, ...('code' in value ? { code: value.code } : {}), ...(cause === undefined ? {} : { cause }), stack }
}
