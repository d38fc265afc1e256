export { analyzerContract, type AnalyzerContractCase, type AnalyzerContractContext } from './analyzer-contract.ts'
export { createTestRindle, type Overrides } from '../rindle.ts'
export type { ClientAnswer, ClientRequest } from './client-request.ts'
export { createSettableClock, type SettableClock } from './clock.ts'
export type { Fault, FaultClock, FaultOptions, Faults, Port, PortCall } from './faults.ts'
export {
  faultyCarrier,
  type DatabaseCall,
  type DatabaseFaultKind,
  type DatabaseFaultOptions,
  type DatabaseOperation,
  type FaultyCarrier,
} from './faulty-carrier.ts'
export {
  faultyClock,
  type ClockCall,
  type ClockFaultKind,
  type ClockFaultOptions,
  type ClockOperation,
  type FaultyClock,
} from './faulty-clock.ts'
export { faultyJail, type FaultyJail, type JailCall, type JailFaultKind, type JailFaultOptions, type JailOperation } from './faulty-jail.ts'
export {
  faultyQueue,
  type FaultyQueue,
  type QueueCall,
  type QueueFaultKind,
  type QueueFaultOptions,
  type QueueOperation,
} from './faulty-queue.ts'
export {
  faultyStorage,
  type FaultyStorage,
  type StorageCall,
  type StorageFaultKind,
  type StorageFaultOptions,
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
export { createTestClient, type TestClient, type TestClientOptions, type TestFile } from './test-client.ts'
export { createTestIds } from './test-ids.ts'
export { createTestWorker, type ReconciledStore, type TestWorker, type TestWorkerOptions } from './test-worker.ts'
