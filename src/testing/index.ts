export { createTestRindle, type Overrides } from '../rindle.ts'
export { createSettableClock, type SettableClock } from './clock.ts'
export { storageContract, type StorageContractCase, type StorageContractContext } from './storage-contract.ts'
