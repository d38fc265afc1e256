/** What a value is that nobody type checked. */
export const isRecord = <T>(value: T): value is T & Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

export const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')

/** True of a number without a fraction that lies between the two, both included. */
export const isWhole = (value: unknown, least = 1, most = Number.MAX_SAFE_INTEGER): boolean =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
