import type { Machine } from '../core/machine.ts'
import { literal, quotedName, type Fragment, type StatementWriter } from './statement-writer.ts'

/** The rows of the statement's history, in the order of its steps: what is appended is read, and numbered, one part after another. */
export const writeHistory = (
  to: StatementWriter,
  rows: readonly (Fragment | string)[],
  { at, actor, reason }: { readonly at: Date; readonly actor: unknown; readonly reason: unknown },
): void => {
  to.text(
    ', "history" as (insert into rindle.state_moves (at, entity, entity_id, asset_id, move, from_state, to_state, actor, reason) select ',
  )
  to.value(at).text('::timestamptz, h.entity, h.id, h.asset_id, h.move, h.from_state, h.to_state, ')
  to.value(actor).text('::text, ').value(reason).text('::text from (')
  rows.forEach((row, step) => {
    to.text(step > 0 ? ' union all select ' : 'select ')
    if (typeof row === 'string') to.text(row)
    else to.fragment(row)
  })
  to.text(') h)')
}

/** One select of history rows for each move of a path that the rows of step `as` took. `conflictMove`: undefined for rows that were there. */
export const historyOf = (as: string, machine: Machine, path: readonly string[], conflictMove?: string | null): readonly string[] => {
  const ofMachine = histories.get(machine) ?? new Map<string, readonly string[]>()
  histories.set(machine, ofMachine)
  const key = `${as} ${path.join()} ${conflictMove}`
  const rows = ofMachine.get(key) ?? writtenHistory(as, machine, path, conflictMove)
  ofMachine.set(key, rows)
  return rows
}

/** Of the steps that flows take: as many as are written down in queries/. */
const histories = new WeakMap<Machine, Map<string, readonly string[]>>()

const writtenHistory = (as: string, machine: Machine, path: readonly string[], conflictMove?: string | null): string[] => {
  const rows: string[] = []
  const row = (move: string, from: string, to: string) =>
    rows.push(
      `${literal(machine.entity)} as entity, id, asset_id, ${move} as move, ${from} as from_state, ${literal(to)} as to_state from ${quotedName(as)}`,
    )
  if (conflictMove !== undefined) {
    const birth = literal('born')
    row(
      conflictMove === null ? birth : `case when previous_state is null then ${birth} else ${literal(conflictMove)} end`,
      'previous_state',
      machine.initial,
    )
  }
  let before = conflictMove === undefined ? 'previous_state' : literal(machine.initial)
  for (const name of path) {
    const state = machine.moves[name]?.to ?? ''
    row(literal(name), before, state)
    before = literal(state)
  }
  return rows
}
