import type { Setup } from './setup.ts'
import type { LateCall, State } from './state.ts'

/** What becomes of a call: it takes effect and is answered; takes effect unheard; takes effect later, unheard; never does. */
export type Landing = 'now' | 'unseen' | 'late' | 'never'

type Call = Omit<LateCall, 'by'>

/** Lets a call take effect. @returns false where the storage refused it. */
export const takeEffect = (state: State, { honours }: Setup, { op, key, from, bytes, isClient }: Call): boolean => {
  if (op === 'delete') {
    delete state.bucket[key]
    return true
  }
  if (op === 'put') {
    if ((honours.createOnly && key in state.bucket) || (isClient && honours.length && bytes === 'w') || bytes === null) return false
    state.bucket[key] = bytes
    return true
  }
  const source = from === null ? undefined : state.bucket[from]
  if (source === undefined || (honours.ifMatch && bytes !== null && source !== bytes)) return false
  state.bucket[key] = source
  return true
}

/** Sends a call. @returns whether it took effect and its sender knows; null where the sender hears nothing. */
export const send = (state: State, setup: Setup, call: Call, landing: Landing, by: number): boolean | null => {
  if (landing === 'now') return takeEffect(state, setup, call)
  if (landing === 'unseen') takeEffect(state, setup, call)
  if (landing === 'late') state.late.push({ ...call, by })
  return null
}

/** Lets a call land whose sender has given up. */
export const land = (state: State, setup: Setup, index: number): void => {
  const [call] = state.late.splice(index, 1)
  if (call) takeEffect(state, setup, call)
}
