/** `; did you mean maxBytes?` when one of the known names is what was probably meant, else nothing. */
export const suggestion = (given: string, known: readonly string[]): string => {
  const [best] = known
    .map((name) => ({ name, distance: distance(given.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.ceil(name.length / 3)))
    .sort((one, other) => one.distance - other.distance)
  return best ? `; did you mean ${best.name}?` : ''
}

/** One problem for each key that nobody reads, `path` first. */
export const unknownKeys = (given: object, known: readonly string[], path: string): string[] =>
  Object.keys(given)
    .filter((key) => !known.includes(key))
    .map((key) => `${path === '' ? key : `${path}.${key}`} is not an option${suggestion(key, known)}`)

/** Levenshtein, over names so short that a plain table is quick; longer ones are not compared. */
const distance = (one: string, other: string): number => {
  if (one.length > 64 || other.length > 64) return 64
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}
