import { defineMachine, type StateOf } from './machine.ts'

export const runMachine = defineMachine({
  entity: 'run',
  table: 'media_processing_runs',
  initial: 'processing',
  states: {
    processing: { means: 'A worker is at it, under the fence that the run names.' },
    succeeded: { means: 'It settled.' },
    failed: { means: 'It ended without settling; the error says why.' },
  },
  moves: {
    succeed: { from: ['processing'], to: 'succeeded', when: 'its outcome is recorded' },
    fail: { from: ['processing'], to: 'failed', when: 'a fault, a death or a lost lease ended it' },
  },
})

export type RunState = StateOf<typeof runMachine>
