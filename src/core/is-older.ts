/** Whether one version comes before another, by the first run of numbers in each: what a packager appends does not count, and no number is the oldest. */
export const isOlder = (version: string, than: string): boolean => {
  const [mine, other] = [numbersOf(version), numbersOf(than)]
  const at = other.findIndex((part, index) => part !== (mine[index] ?? 0))
  return at >= 0 && (mine[at] ?? 0) < (other[at] ?? 0)
}

const numbersOf = (version: string): number[] => /\d+(?:\.\d+)*/.exec(version)?.[0].split('.').map(Number) ?? []
