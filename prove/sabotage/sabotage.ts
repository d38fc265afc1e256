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

export const changesOf = (sabotage: Sabotage): readonly Change[] => [sabotage, ...(sabotage.also ?? [])]
