import { copyingCases } from './storage-contract/copying-cases.ts'
import { keyCases } from './storage-contract/key-cases.ts'
import { multipartCases } from './storage-contract/multipart-cases.ts'
import { readingCases } from './storage-contract/reading-cases.ts'
import { signingCases } from './storage-contract/signing-cases.ts'
import { writingCases } from './storage-contract/writing-cases.ts'
import type { StorageContractCase } from './storage-contract/trial.ts'

export type { StorageContractCase, StorageContractContext } from './storage-contract/trial.ts'

/**
 * What every storage adapter promises, as data: run each over yours, in any test runner. Cases that send with tickets reach the storage
 * by `fetch`, unless the context says otherwise.
 */
export const storageContract: readonly StorageContractCase[] = [
  ...writingCases,
  ...readingCases,
  ...copyingCases,
  ...keyCases,
  ...signingCases,
  ...multipartCases,
]
