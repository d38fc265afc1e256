import { RindleError } from '../../core/errors.ts'

/** An attribute's value: null and false leave it out, true writes the bare name. */
type AttributeValue = string | number | boolean | null
export type Attributes = Readonly<Record<string, AttributeValue>>

/** Text that means itself wherever HTML may stand: in an element, or in an attribute with either quote. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"'`\0]/g, (character) => entities[character] ?? '')

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' }

/** ` name="value"` for each, in the order given. */
export const renderAttributes = (attributes: Attributes): string =>
  Object.entries(attributes)
    .filter(([, value]) => value !== null && value !== false)
    .map(([name, value]) => ` ${name}${value === true ? '' : `="${escapeHtml(String(value))}"`}`)
    .join('')

/**
 * Attributes of the app's own, in alphabetical order.
 *
 * @throws RindleError `argument_invalid` for a name that could end the tag, that runs code, or that the tag writes itself.
 */
export const ownAttributes = (attributes: Attributes, reserved: readonly string[]): Attributes => {
  const entries = Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), value] as const)
  for (const [name] of entries) {
    const problem = problemOfName(name, reserved)
    if (problem) throw new RindleError('argument_invalid', { argument: `attributes.${name}`, problem })
  }
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)))
}

const problemOfName = (name: string, reserved: readonly string[]): string | null => {
  if (!/^[a-z][a-z0-9_:.-]*$/.test(name)) return 'it is no attribute name'
  if (name.startsWith('on')) return 'handlers are not written into tags'
  return reserved.includes(name) ? 'the tag writes this one itself' : null
}
