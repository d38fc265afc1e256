import { copyingCases } from './storage-contract/copying-cases.ts'
import { keyCases } from './storage-contract/key-cases.ts'
import { readingCases } from './storage-contract/reading-cases.ts'
import { writingCases } from './storage-contract/writing-cases.ts'
import type { StorageContractCase } from './storage-contract/trial.ts'

export type { StorageContractCase, StorageContractContext } from './storage-contract/trial.ts'

/** What every storage adapter promises, as data: run each over yours, in any test runner. */
export const storageContract: readonly StorageContractCase[] = [...writingCases, ...readingCases, ...copyingCases, ...keyCases]
