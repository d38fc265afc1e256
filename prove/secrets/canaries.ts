import type { Random } from '../harness.ts'

/** Where a secret may not be seen: nowhere at all, or only not where everybody who runs the machine reads. */
type Kept = 'everywhere' | 'told'

/** Values that nobody may see, planted wherever a secret enters. */
export interface Canaries {
  /** A fresh one of this name: letters and digits. */
  plant(name: string, kept?: Kept): string
  /** One that is made by others: a signature, a ticket. The latest few hundred are looked for. */
  add(name: string, value: string, kept?: Kept): void
  /** How many there are, by what they are. */
  planted(): ReadonlyMap<string, number>
  count(): number
  /** The names of those that stand in a text, in any encoding. `told` is what is logged, published or printed; rows and errors are not. */
  seenIn(text: string, where: 'told' | 'kept'): readonly string[]
}

const shortest = 8
const latest = 300

export const createCanaries = (random: Random): Canaries => {
  const all = new Map<string, { readonly name: string; readonly kept: Kept }>()
  const counts = new Map<string, number>()
  const made: string[] = []
  let values = 0
  const keep: Canaries['add'] = (name, value, kept = 'everywhere') => {
    if (value.length < shortest) throw new Error(`the secret ${name} is too short to be found`)
    values += 1
    counts.set(name, (counts.get(name) ?? 0) + 1)
    for (const form of formsOfSecret(value)) all.set(form, { name, kept })
  }
  return {
    add(name, value, kept) {
      keep(name, value, kept)
      made.push(value)
      for (const old of made.splice(0, made.length - latest)) for (const form of formsOfSecret(old)) all.delete(form)
    },
    plant(name, kept) {
      const value = `canary${Buffer.from(random.bytes(20)).toString('hex')}`
      keep(name, value, kept)
      return value
    },
    planted: () => counts,
    count: () => values,
    seenIn(text, where) {
      const names = new Set<string>()
      for (const [form, { name, kept }] of all) if ((kept === 'everywhere' || where === 'told') && text.includes(form)) names.add(name)
      return [...names]
    },
  }
}

/** As text, in the encodings that programs put secrets into, and as the bytes are printed. */
export const formsOfSecret = (value: string): readonly string[] => {
  const bytes = Buffer.from(value)
  const base64 = bytes.toString('base64').replace(/=+$/, '')
  return [
    value,
    encodeURIComponent(value),
    base64,
    bytes.toString('base64url'),
    bytes.toString('hex'),
    [...bytes].join(','),
    [...value].reverse().join(''),
  ]
}
