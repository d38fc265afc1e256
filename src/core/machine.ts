/** What a state means, and what happens to a row that is left in it. */
interface State<M extends string = string> {
  readonly means: string
  /**
   * Present on states that are owed work: a row in one always carries `due_at`. Past it the sweep applies the cure:
   * a move of this machine, `enqueue` (wake the worker again) or `forget` (the row itself goes).
   */
  readonly owed?: { readonly cure: M | 'enqueue' | 'forget' }
  /** True for a state that a path of moves passes through within one statement; no row rests there. */
  readonly passing?: true
}

/** One named way of changing state. */
interface Move<S extends string = string> {
  readonly from: readonly S[]
  readonly to: S
  /** The event in plain words: what happened, not what the code does. */
  readonly when: string
}

/** A lifecycle as data: what the states mean, and the only ways between them. */
export interface Machine<S extends string = string, M extends string = string> {
  readonly entity: string
  /** The table whose `state` column this machine governs, in schema `rindle`. */
  readonly table: string
  readonly initial: S
  readonly states: Readonly<Record<S, State<M>>>
  readonly moves: Readonly<Record<M, Move<S>>>
}

export type StateOf<T> = T extends Machine<infer S, string> ? S : never
export type MoveOf<T> = T extends Machine<string, infer M> ? M : never

export const defineMachine = <const S extends string, const M extends string>(machine: {
  entity: string
  table: string
  initial: NoInfer<S>
  states: Record<S, State<NoInfer<M>>>
  moves: Record<M, Move<NoInfer<S>>>
}): Machine<S, M> => machine

/** States in which a row must carry `due_at`. */
export const owedStates = (machine: Machine): string[] =>
  Object.entries(machine.states)
    .filter(([, { owed }]) => owed)
    .map(([state]) => state)
