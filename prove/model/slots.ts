import { lifeOf } from './rows.ts'
import type { Setup } from './setup.ts'
import { type AttachmentRow, deliverable, inGate, type State } from './state.ts'

export const mayAttach = (state: State, life: number): boolean => {
  const { asset } = lifeOf(state, life)
  return asset !== null && (inGate.includes(asset.state) || deliverable.includes(asset.state))
}

/** Puts an asset into a single slot: the last wish wins, and what is seen stays until its successor has passed the gate. */
export const attach = (state: State, { durations }: Setup, life: number, slot: number): void => {
  const { asset } = lifeOf(state, life)
  if (!asset || !mayAttach(state, life)) return
  const waits = inGate.includes(asset.state)
  const due = waits ? state.now + durations.wakeUp : null
  const rows = rowsOf(state, slot)
  const own = rows.find((row) => row.life === life)
  const others = rows.filter((row) => row !== own)
  if (own?.standing === 'current' || !waits || rows.length === 0) {
    release(state, own?.standing === 'current' ? others.filter(({ standing }) => standing === 'pending') : others)
    if (own) Object.assign(own, { standing: 'current', due })
    else state.attachments.push({ slot, life, standing: 'current', due })
    return
  }
  if (own) return void Object.assign(own, { due })
  release(
    state,
    rows.filter(({ standing }) => standing === 'pending'),
  )
  state.attachments.push({ slot, life, standing: 'pending', due })
}

export const detach = (state: State, slot: number): void => release(state, rowsOf(state, slot))

const rowsOf = (state: State, slot: number): AttachmentRow[] =>
  state.attachments.filter((row) => row.slot === slot && row.standing !== 'released')

const release = (state: State, rows: readonly AttachmentRow[]): void => {
  for (const row of rows) Object.assign(row, { standing: 'released', due: state.now })
}

/** Carries the gate's verdict to the slots where it is waited for. */
export const settleSlots = (state: State, life: number): void => {
  const { asset } = lifeOf(state, life)
  const own = state.attachments.filter((row) => row.life === life && row.standing !== 'released' && row.due !== null)
  if (!asset) return
  if (deliverable.includes(asset.state)) {
    const risen = own.filter(({ standing }) => standing === 'pending').map(({ slot }) => slot)
    release(
      state,
      state.attachments.filter(({ standing, slot }) => standing === 'current' && risen.includes(slot)),
    )
    for (const row of own) Object.assign(row, { standing: 'current', due: null })
  }
  if (asset.state !== 'quarantined') return
  if (asset.passed) {
    release(
      state,
      own.filter(({ standing }) => standing === 'pending'),
    )
    for (const row of own) if (row.standing === 'current') row.due = null
  } else if (asset.object === null) release(state, own)
  else state.attachments = state.attachments.filter((row) => !own.includes(row))
}
