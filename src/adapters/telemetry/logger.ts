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

/** Errors keep what tells them apart, whatever they make of themselves as JSON; their causes are followed, bigints written out. */
function readable(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  const raw: unknown = typeof this === 'object' && this !== null ? Reflect.get(this, key) : value
  if (!(raw instanceof Error)) return value
  const { name, message, stack, cause } = raw
  return { name, message, ...('code' in raw ? { code: raw.code } : {}), ...(cause === undefined ? {} : { cause }), stack }
}
