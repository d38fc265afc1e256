import { inspect } from 'node:util'
import { isRindleError } from '../../src/core/errors.ts'

/** An error in every form in which somebody may read it: thrown away uncaught, logged, sent as JSON, its causes with all that they hide. */
export const formsOf = (err: unknown): string[] => {
  const forms = [inspect(err, { depth: 20 }), String(JSON.stringify(err))]
  if (isRindleError(err)) forms.push(inspect(err.toJSON(), { depth: 20 }), inspect(err.details, { depth: 20, showHidden: true }))
  for (let cause = err; cause instanceof Error; cause = cause.cause)
    forms.push(cause.message, String(cause.stack), inspect(cause, { depth: 5, showHidden: true }))
  return forms
}

/** What gives something away by its looks, whoever made it. */
const telling = /X-Amz-(Signature|Credential|Security-Token)=|AWS4-HMAC-SHA256 Credential=|Signature=[0-9a-f]{16}/i

/** The first secret that is found in a text, by name. */
export const secretIn = (text: string, secrets: ReadonlyMap<string, string>): string | null => {
  for (const [value, name] of secrets) if (value.length > 0 && text.includes(value)) return name
  return telling.test(text) ? 'something that is signed' : null
}
