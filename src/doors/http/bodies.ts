import { RindleError } from '../../core/errors.ts'
import { suggestion } from '../../core/suggestion.ts'

/** What a body may measure unless its route says otherwise. */
const maxJsonBytes = 65_536

/**
 * The object that a JSON body holds; an empty body is an empty object. The type is insisted on, because forms of foreign pages cannot
 * send it.
 *
 * @throws RindleError `body_type_unsupported`, `body_consumed`, `body_invalid`
 */
export async function readJsonObject(request: Request, maxBytes: number = maxJsonBytes): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new RindleError('body_type_unsupported', {})
  refuseConsumed(request)
  const text = await readText(request, maxBytes)
  if (text === '' && announcedBytes(request) > 0) throw new RindleError('body_consumed', {})
  if (text.trim() === '') return {}
  const value = parsed(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RindleError('body_invalid', { problem: 'it is no JSON object' })
  return { ...value }
}

/** @throws RindleError `body_consumed` when something before us has read it. */
export const refuseConsumed = (request: Request): void => {
  if (request.bodyUsed || (request.body === null && announcedBytes(request) > 0)) throw new RindleError('body_consumed', {})
}

/** What Content-Length says; 0 when it says nothing. */
export const announcedBytes = (request: Request): number => Number(request.headers.get('content-length') ?? 0) || 0

const readText = async (request: Request, maxBytes: number): Promise<string> => {
  if (!request.body) return ''
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let read = 0
  try {
    for await (const chunk of request.body) {
      read += chunk.byteLength
      if (read > maxBytes) throw new RindleError('body_invalid', { problem: `it is larger than ${maxBytes} bytes` })
      text += decoder.decode(chunk, { stream: true })
    }
    return text + decoder.decode()
  } catch (err) {
    throw err instanceof TypeError ? new RindleError('body_invalid', { problem: 'it is not UTF-8' }, { cause: err }) : err
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RindleError('body_invalid', { problem: 'it is not JSON' }, { cause })
  }
}

/** Fields of a body, read one by one; `end` refuses what nobody read. Each throws RindleError `body_invalid` naming the field. */
interface Fields {
  text(name: string): string
  optionalText(name: string): string | undefined
  number(name: string): number
  optionalNumber(name: string): number | undefined
  optionalFlag(name: string): boolean | undefined
  /** Whatever is there, for a judge of its own. */
  optional(name: string): unknown
  end(): void
}

export const fieldsOf = (body: Readonly<Record<string, unknown>>): Fields => {
  const read: string[] = []
  const refuse = (problem: string): never => {
    throw new RindleError('body_invalid', { problem })
  }
  const take = (name: string): unknown => {
    read.push(name)
    return Object.hasOwn(body, name) ? (body[name] ?? undefined) : undefined
  }
  const optionalText = (name: string): string | undefined => {
    const value = take(name)
    return value === undefined || typeof value === 'string' ? value : refuse(`${name} is no text`)
  }
  const optionalNumber = (name: string): number | undefined => {
    const value = take(name)
    return value === undefined || typeof value === 'number' ? value : refuse(`${name} is no number`)
  }
  return {
    optionalText,
    text: (name) => optionalText(name) ?? refuse(`${name} is missing`),
    number: (name) => optionalNumber(name) ?? refuse(`${name} is missing`),
    optionalNumber,
    optionalFlag(name) {
      const value = take(name)
      return value === undefined || typeof value === 'boolean' ? value : refuse(`${name} is neither true nor false`)
    },
    optional: take,
    end() {
      const unread = Object.keys(body).find((name) => !read.includes(name))
      if (unread !== undefined) refuse(`${unread} is not a field${suggestion(unread, read)}`)
    },
  }
}
