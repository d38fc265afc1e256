import type { Random } from '../harness.ts'

/** Where something may be seen: `told` is what is logged or printed, and the history is what moved, by whom and why. */
export type Place = 'told' | 'published' | 'thrown' | 'stored' | 'history'

/** Where what is planted may be seen after all: nowhere, only not where everybody who runs the machine reads, or only where it is recorded on purpose. */
const shown = {
  everywhere: [],
  told: ['thrown', 'stored', 'history'],
  recorded: ['published', 'history'],
} as const satisfies Readonly<Record<string, readonly Place[]>>
type Kept = keyof typeof shown

/** Values that nobody may see, planted wherever a secret enters. */
export interface Canaries {
  /** A fresh one of this name: letters and digits. */
  plant(name: string, kept?: Kept): string
  /** One that is made by others: a signature, a ticket. The latest few hundred are looked for. */
  add(name: string, value: string, kept?: Kept): void
  /** How many there are, by what they are. */
  planted(): ReadonlyMap<string, number>
  count(): number
  /** The names of those that stand in a text, in any encoding, and may not be seen there. */
  seenIn(text: string, place: Place): readonly string[]
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
    seenIn(text, place) {
      const names = new Set<string>()
      const mayBeSeen = (kept: Kept): boolean => shown[kept].some((one) => one === place)
      for (const [form, { name, kept }] of all) if (!mayBeSeen(kept) && text.includes(form)) names.add(name)
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
