import { askedFor, mayBeMade, planned, settled, stopped, type Variants, wordsOf } from './variants.ts'

/**
 * One owner with slots, and the files that may stand in them, as they are if one call follows another. Files and slots are numbered. What the
 * library does by itself (the gate speaks, a slot is settled, what lost its slots is purged) may happen between any two calls.
 */
export interface Table {
  readonly files: readonly File[]
  /** Slots for one, by number. */
  readonly singles: readonly Single[]
  /** The files in the slot that takes many, ascending. */
  readonly many: readonly number[]
}

export interface File {
  readonly phase: 'staged' | 'gate' | 'passed' | 'refused' | 'gone'
  readonly session: 'open' | 'completed' | 'ended'
  /** It lost a slot, so somebody is to look whether it may go. */
  readonly released: boolean
  /** What the gate will say. */
  readonly good: boolean
  /** What is to be made of it once it has passed. */
  readonly wanted: readonly string[]
  /** None before that. */
  readonly variants: Variants
  /** The gate spoke before this instant at the latest; null: not yet. Who looked earlier may act on what was so then. */
  readonly spokeBy: number | null
}

export interface Single {
  readonly current: number | null
  readonly pending: number | null
}

/** The number of a slot for one, or the slot that takes many. */
export type Slot = number | 'many'

export interface Shown {
  readonly file: number
  readonly standing: 'current' | 'pending'
  readonly previous: number | null
}

/** A call with what its caller was told. `refused` is any refusal that is about the file's state. */
export type Call =
  | { readonly do: 'attach'; readonly file: number; readonly slot: Slot; readonly told: Shown | 'refused' }
  | { readonly do: 'detach'; readonly file: number | null; readonly slot: Slot }
  | { readonly do: 'read'; readonly slot: number; readonly told: Shown | null }
  | { readonly do: 'list'; readonly told: readonly number[] }
  | { readonly do: 'purge'; readonly file: number; readonly told: 'done' | 'attached' | 'gone' }
  | { readonly do: 'verify'; readonly file: number; readonly told: 'done' | 'ended' | 'gone' }
  | { readonly do: 'cancel'; readonly file: number; readonly told: 'done' | 'ended' }
  | { readonly do: 'stop'; readonly file: number; readonly told: readonly string[] | 'idle' | 'gone' }
  | {
      readonly do: 'ask'
      readonly file: number
      readonly names: readonly string[] | null
      readonly told: readonly string[] | 'refused' | 'gone'
    }
  /** What is seen when nothing is owed any more. */
  | {
      readonly do: 'end'
      readonly told: Pick<Table, 'singles' | 'many'> & { readonly phases: readonly File['phase'][]; readonly variants: readonly string[] }
    }

/** What was done as one, from its beginning to its end. */
export interface Deed {
  readonly calls: readonly Call[]
  readonly from: number
  readonly to: number
}

const withFile = (table: Table, file: number, change: Partial<File>): Table => ({
  ...table,
  files: table.files.map((one, index) => (index === file ? { ...one, ...change } : one)),
})

const withSingle = (table: Table, slot: number, single: Single): Table => ({
  ...table,
  singles: table.singles.map((one, index) => (index === slot ? single : one)),
})

const released = (table: Table, files: readonly (number | null)[]): Table =>
  files.reduce<Table>((all, file) => (file === null ? all : withFile(all, file, { released: true })), table)

const isHeld = ({ singles, many }: Table, file: number): boolean =>
  many.includes(file) || singles.some(({ current, pending }) => current === file || pending === file)

/** What the table is after a call that began at `from`; null when nobody could have been told that. */
export const after = (table: Table, call: Call, from: number): Table | null => {
  switch (call.do) {
    case 'attach':
      return attached(table, call, from)
    case 'detach':
      return detached(table, call)
    case 'read':
      return same(shownIn(table, call.slot), call.told) ? table : null
    case 'list':
      return same(table.many, call.told) ? table : null
    case 'purge':
      return purged(table, call)
    case 'verify':
      return verified(table, call)
    case 'cancel':
      return cancelled(table, call)
    case 'stop':
      return whenStopped(table, call)
    case 'ask':
      return whenAsked(table, call)
    case 'end': {
      const { singles, many, phases, variants } = call.told
      const isSo = same(table.singles, singles) && same(table.many, many) && same(phases, phasesOf(table)) && same(variants, endsOf(table))
      return isSo && byItself(table).length === 0 ? table : null
    }
  }
}

const phasesOf = ({ files }: Table): File['phase'][] => files.map(({ phase }) => phase)

const endsOf = ({ files }: Table): string[] => files.map(({ phase, variants }) => (phase === 'passed' ? wordsOf(settled(variants)) : ''))

/**
 * Slots are locked from the look to the commit, and files against being purged; but not against the gate, which may speak in between: then a
 * file is attached as one that is in the gate, and settled later.
 */
const attached = (table: Table, { file, slot, told }: Extract<Call, { do: 'attach' }>, from: number): Table | null => {
  const { phase = 'gone', spokeBy = null } = table.files[file] ?? {}
  if (told === 'refused') return phase === 'gate' || phase === 'passed' ? null : table
  const mayHaveBeenInGate = phase === 'gate' || ((phase === 'passed' || phase === 'refused') && spokeBy !== null && spokeBy > from)
  if (told.file !== file || !(phase === 'passed' || mayHaveBeenInGate)) return null
  if (slot === 'many') {
    if (told.standing !== 'current') return null
    return { ...table, many: [...new Set([...table.many, file])].sort((one, other) => one - other) }
  }
  const { current, pending } = table.singles[slot] ?? { current: null, pending: null }
  const isEmpty = current === null && pending === null
  if (told.standing === 'current') {
    if (!(current === file || phase === 'passed' || isEmpty)) return null
    const others = [current, pending].filter((one) => one !== file)
    return released(withSingle(table, slot, { current: file, pending: null }), others)
  }
  if (!mayHaveBeenInGate || isEmpty || current === file || told.previous !== current) return null
  return released(withSingle(table, slot, { current, pending: file }), pending === file ? [] : [pending])
}

const detached = (table: Table, { file, slot }: Extract<Call, { do: 'detach' }>): Table => {
  if (slot === 'many') {
    if (file === null || !table.many.includes(file)) return table
    return released({ ...table, many: table.many.filter((one) => one !== file) }, [file])
  }
  const { current, pending } = table.singles[slot] ?? { current: null, pending: null }
  const leaves = (one: number | null): boolean => one !== null && (file === null || file === one)
  const left = withSingle(table, slot, { current: leaves(current) ? null : current, pending: leaves(pending) ? null : pending })
  return released(left, [current, pending].filter(leaves))
}

const shownIn = ({ singles }: Table, slot: number): Shown | null => {
  const { current, pending } = singles[slot] ?? { current: null, pending: null }
  if (pending !== null) return { file: pending, standing: 'pending', previous: current }
  return current === null ? null : { file: current, standing: 'current', previous: null }
}

const purged = (table: Table, { file, told }: Extract<Call, { do: 'purge' }>): Table | null => {
  const { phase, session } = table.files[file] ?? { phase: 'gone', session: 'ended' }
  if (isHeld(table, file)) return told === 'attached' ? table : null
  if (told === 'attached' || (told === 'gone' && phase !== 'gone')) return null
  return withFile(table, file, { phase: 'gone', session: session === 'open' ? 'ended' : session })
}

const verified = (table: Table, { file, told }: Extract<Call, { do: 'verify' }>): Table | null => {
  const { phase, session } = table.files[file] ?? { phase: 'gone', session: 'ended' }
  if (session === 'ended') return told === 'ended' ? table : null
  if (told === 'gone') return phase === 'gone' ? table : null
  if (told === 'ended') return null
  return session === 'completed' ? table : withFile(table, file, { phase: 'gate', session: 'completed' })
}

const cancelled = (table: Table, { file, told }: Extract<Call, { do: 'cancel' }>): Table | null => {
  const session = table.files[file]?.session
  if (session === 'completed') return told === 'ended' ? table : null
  return told === 'done' ? withFile(table, file, { phase: 'gone', session: 'ended' }) : null
}

const whenStopped = (table: Table, { file, told }: Extract<Call, { do: 'stop' }>): Table | null => {
  const { phase, variants } = table.files[file] ?? { phase: 'gone', variants: {} }
  if (phase === 'gone' || told === 'gone') return phase === told ? table : null
  if (phase !== 'passed') return told === 'idle' ? table : null
  const left = stopped(variants, told === 'idle' ? [] : told)
  return left && withFile(table, file, { variants: left })
}

const whenAsked = (table: Table, { file, names, told }: Extract<Call, { do: 'ask' }>): Table | null => {
  const { phase, variants } = table.files[file] ?? { phase: 'gone', variants: {} }
  if (phase === 'gone' || told === 'gone') return phase === told ? table : null
  if (phase !== 'passed' || told === 'refused') return phase !== 'passed' && told === 'refused' ? table : null
  const left = askedFor(variants, names, told)
  return left && withFile(table, file, { variants: left })
}

/** What the library may make of the table by itself. What it makes of files needs no turn: `Variants` leave open when. */
export const byItself = (table: Table): Table[] =>
  table.files.flatMap(({ phase, released: isReleased, good, wanted }, file) => {
    if (phase === 'gate') {
      const verdict = good ? ({ phase: 'passed', variants: planned(wanted) } as const) : ({ phase: 'refused' } as const)
      const spoken = withFile(table, file, { ...verdict, spokeBy: Infinity })
      return isReleased && !isHeld(table, file) ? [spoken, withFile(table, file, { phase: 'gone' })] : [spoken]
    }
    const settled = phase === 'passed' ? risen(table, file) : phase === 'refused' ? fallen(table, file) : []
    const mayGo = phase === 'passed' && isReleased && !isHeld(table, file)
    return mayGo ? [...settled, withFile(table, file, { phase: 'gone' })] : settled
  })

/** A replacement that passed takes its place. */
const risen = (table: Table, file: number): Table[] =>
  table.singles.flatMap(({ current, pending }, slot) =>
    pending === file ? [released(withSingle(table, slot, { current: file, pending: null }), [current])] : [],
  )

/** What the gate refused leaves, without being released: its bytes are kept. */
const fallen = (table: Table, file: number): Table[] => [
  ...table.singles.flatMap(({ current, pending }, slot) => {
    if (pending === file) return [withSingle(table, slot, { current, pending: null })]
    return current === file ? [withSingle(table, slot, { current: null, pending })] : []
  }),
  ...(table.many.includes(file) ? [{ ...table, many: table.many.filter((one) => one !== file) }] : []),
]

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

export type Explanation = 'explained' | 'unexplained' | 'undecided'

/**
 * Looks for an order of the deeds, in which none comes before one that had ended when it began, that explains all that was told. Of
 * `mostLooks` situations at most.
 */
export const explain = (start: Table, deeds: readonly Deed[], mostLooks = 300_000): Explanation => {
  const inTurn = [...deeds].sort((one, other) => one.to - other.to)
  const seen = new Set<string>()
  const stack: { readonly table: Table; readonly done: number }[] = [{ table: start, done: 0 }]
  const all = 2 ** inTurn.length - 1
  for (let node = stack.pop(); node; node = stack.pop()) {
    const { table, done } = node
    if (done === all) return 'explained'
    const waiting = inTurn.flatMap((deed, index) => (done & (2 ** index) ? [] : [{ deed, index }]))
    const key = `${done} ${keyOf(table, waiting)}`
    if (seen.has(key)) continue
    seen.add(key)
    if (seen.size > mostLooks) return 'undecided'
    const soonest = Math.min(...waiting.map(({ deed }) => deed.to))
    const stepsOf = (some: typeof waiting): { table: Table; done: number }[] =>
      some.flatMap(({ deed, index }) =>
        deed.from > soonest
          ? []
          : afterAll(table, deed.calls, deed.from).map((next) => ({ table: told(next, deed), done: done | (2 ** index) })),
      )
    const [look] = stepsOf(waiting.filter(({ deed }) => deed.calls.every((call) => changesNothing(table, call))))
    if (look) stack.push(look)
    else stack.push(...byItself(table).map((next) => ({ table: next, done })), ...stepsOf(waiting).reverse())
  }
  return 'unexplained'
}

/** What only looks, whatever it finds, need not come later when it may come now. */
const changesNothing = ({ files }: Table, call: Call): boolean => {
  if (call.do === 'read' || call.do === 'list') return true
  if (call.do === 'stop') return call.told === 'gone' || (call.told === 'idle' && !mayBeMade(files[call.file]?.variants ?? {}))
  if (call.do === 'ask') return typeof call.told === 'string' || call.told.length === 0
  if (call.do === 'attach') return call.told === 'refused'
  if (call.do === 'purge' || call.do === 'verify' || call.do === 'cancel') return call.told !== 'done'
  return false
}

/** Of the instants by which the gate spoke only their order among the beginnings of what is still to come matters. */
const keyOf = ({ files, singles, many }: Table, waiting: readonly { readonly deed: Deed }[]): string => {
  const later = (by: number | null): number => (by === null ? 0 : waiting.filter(({ deed }) => deed.from < by).length)
  return JSON.stringify([files.map((file) => [file.phase, file.session, file.released, later(file.spokeBy), file.variants]), singles, many])
}

/** Whatever the gate has said by now it said before the deed had ended. */
const told = (table: Table, { to }: Deed): Table => ({
  ...table,
  files: table.files.map((file) => (file.spokeBy !== null && file.spokeBy > to ? { ...file, spokeBy: to } : file)),
})

/** Within a transaction the gate may speak between two calls. */
const afterAll = (table: Table, calls: readonly Call[], from: number): Table[] => {
  const [first, ...rest] = calls
  if (!first) return [table]
  const next = after(table, first, from)
  if (!next) return []
  if (rest.length === 0) return [next]
  return [next, ...byItself(next)].flatMap((between) => afterAll(between, rest, from))
}
