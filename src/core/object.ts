import { defineMachine, type StateOf } from './machine.ts'

export const objectMachine = defineMachine({
  entity: 'object',
  table: 'media_objects',
  initial: 'reserved',
  states: {
    reserved: { means: 'A key that one attempt may write; nobody knows yet whether bytes are there.' },
    present: { means: 'The bytes are there, with the length and etag that the row pins.' },
    doomed: { means: 'To be deleted from storage.', owed: { cure: 'enqueue' } },
    watched: { means: 'Deleted, but a late write could still land; it is deleted once more.', owed: { cure: 'enqueue' } },
  },
  moves: {
    confirm: { from: ['reserved'], to: 'present', when: 'its bytes were seen in storage' },
    doom: { from: ['reserved', 'present'], to: 'doomed', when: 'nothing needs it any more' },
    delete: { from: ['doomed'], to: 'watched', when: 'storage confirmed that it is gone' },
  },
})

export type ObjectState = StateOf<typeof objectMachine>
export type ObjectRole = 'staging' | 'original' | 'variant' | 'tail' | 'unmanaged'
