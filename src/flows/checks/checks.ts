import type { Check } from '../../core/diagnosis.ts'
import { checksOfDatabase } from './checks-of-database.ts'
import { checksOfDecoding } from './checks-of-decoding.ts'
import { checksOfFiles } from './checks-of-files.ts'
import { checksOfMachine } from './checks-of-machine.ts'
import { checksOfStores } from './checks-of-stores.ts'
import type { Examined } from './examined.ts'

/** All that doctor goes through, in this order: what others need comes first. */
export const checks: readonly Check<Examined>[] = [
  ...checksOfDatabase,
  ...checksOfMachine,
  ...checksOfStores,
  ...checksOfDecoding,
  ...checksOfFiles,
]
