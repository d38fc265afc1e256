export { analyzerContract, type AnalyzerContractCase, type AnalyzerContractContext } from './analyzer-contract.ts'
export { createTestRindle, type Overrides } from '../rindle.ts'
export type { ClientAnswer, ClientRequest } from './client-request.ts'
export { createSettableClock, type SettableClock } from './clock.ts'
export {
  type Fault,
  type FaultKind,
  faultyStorage,
  type FaultyStorage,
  type FaultyStorageOptions,
  type StorageCall,
  type StorageOperation,
} from './faulty-storage.ts'
export {
  type BucketCall,
  type BucketHonours,
  createMemoryBucket,
  type Landing,
  type LandingHook,
  type LateCall,
  type MemoryBucket,
  type MemoryBucketOptions,
} from './memory-bucket.ts'
export { processorContract, type ProcessorContractCase, type ProcessorContractContext } from './processor-contract.ts'
export { type ContractSample, scannerContract, type ScannerContractCase, type ScannerContractContext } from './scanner-contract.ts'
export { storageContract, type StorageContractCase, type StorageContractContext } from './storage-contract.ts'
