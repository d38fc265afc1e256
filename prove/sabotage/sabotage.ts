/** One text that is put in the place of another. */
export interface Change {
  /** Below the root of the project. */
  readonly file: string
  /** Text that stands exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** A careless change of the source, and the one thing that has to notice it. */
export interface Sabotage extends Change {
  /** Lower case, with dashes. */
  readonly name: string
  /** What somebody did, in a sentence, and what would come of it. */
  readonly means: string
  /** Further changes, where another guard stands behind the first: what is broken is the whole promise. */
  readonly also?: readonly Change[]
  /** A file of tests, with part of the title where one case is enough, or a proof. It is green on the source as it stands. */
  readonly red: { readonly test: string; readonly title?: string } | { readonly proof: string }
}

/**
 * The files that it breaks, by their paths, with what stands in them afterwards.
 *
 * @throws where a text to be broken is not there, or more than once: the line has moved, and the sabotage has to follow it.
 */
export const brokenBy = (sabotage: Sabotage, textOf: (file: string) => string): ReadonlyMap<string, string> => {
  const broken = new Map<string, string>()
  for (const { file, find, replace } of [sabotage, ...(sabotage.also ?? [])]) {
    const text = broken.get(file) ?? textOf(file)
    const times = text.split(find).length - 1
    if (times !== 1) throw new Error(`${file} has ${times} times, and not once, what ${sabotage.name} breaks: ${find}`)
    broken.set(
      file,
      text.replace(find, () => replace),
    )
  }
  return broken
}
