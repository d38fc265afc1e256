/**
 * What is made of a file, by name, if one call follows another. What is `open` was wanted, and may be there by now or not: until somebody is told,
 * both are so. `times` counts how often it was made for certain.
 */
export type Variants = Readonly<Record<string, { readonly state: 'open' | 'made' | 'stopped'; readonly times: number }>>

export const planned = (names: readonly string[]): Variants => Object.fromEntries(names.map((name) => [name, { state: 'open', times: 0 }]))

export const mayBeMade = (variants: Variants): boolean => Object.values(variants).some(({ state }) => state === 'open')

/** What is open was made. */
export const settled = (variants: Variants): Variants =>
  changed(variants, (_, one) => (one.state === 'open' ? { state: 'made', times: one.times + 1 } : one))

/** After a call that stopped all that was being made, which were these; null when that cannot be. What else was open had been made by then. */
export const stopped = (variants: Variants, names: readonly string[]): Variants | null => {
  if (!names.every((name) => variants[name]?.state === 'open')) return null
  const left = changed(variants, (name, one) => (names.includes(name) ? { ...one, state: 'stopped' } : one))
  return settled(left)
}

/** After a call that asked for some, or for whatever was stopped, and was told which are made now; null when that cannot be. */
export const askedFor = (variants: Variants, names: readonly string[] | null, told: readonly string[]): Variants | null => {
  const wanted = Object.keys(variants).filter((name) => variants[name]?.state === 'stopped' && (names ?? [name]).includes(name))
  if (wanted.toSorted().join() !== told.join()) return null
  return changed(variants, (name, one) => (wanted.includes(name) ? { ...one, state: 'open' } : one))
}

export const wordsOf = (variants: Variants): string =>
  Object.entries(variants)
    .map(([name, { state, times }]) => `${name} ${state} ${times}`)
    .toSorted()
    .join(', ')

const changed = (variants: Variants, change: (name: string, one: Variants[string]) => Variants[string]): Variants =>
  Object.fromEntries(Object.entries(variants).map(([name, one]) => [name, change(name, one)]))
