/** A careless change of the source, and the one thing that has to notice it. */
export interface Sabotage {
  /** Lower case, with dashes. */
  readonly name: string
  /** What somebody did, in a sentence, and what would come of it. */
  readonly means: string
  /** Below the root of the project. */
  readonly file: string
  /** Text that stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** A file of tests, with part of the title where one case is enough, or a proof. It is green on the source as it stands. */
  readonly red: { readonly test: string; readonly title?: string } | { readonly proof: string }
}
