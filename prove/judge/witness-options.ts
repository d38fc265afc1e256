/** Reads committed rows, on a connection of its own that nothing breaks: `EngineDatabase.query`. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>

export interface WitnessOptions {
  readonly query: Query
  /** Hears of every broken promise at once, as a sentence that names what it is about. */
  readonly breach: (text: string) => void
}
