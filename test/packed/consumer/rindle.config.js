import { createRindle, defineProfile } from 'rindle'
import { pglite } from 'rindle/pglite'
import { memory } from 'rindle/storage/memory'

const report = defineProfile({ kind: 'file', storage: memory(), allowMime: ['application/pdf'], maxBytes: 1_000_000 })

export const rindle = createRindle({
  profiles: { report },
  slots: {},
  database: pglite('.rindle/db'),
  secrets: ['a secret of this journey alone, thirty-two bytes or more'],
})
