export { silentLogger as silent } from '../../src/adapters/telemetry/logger.ts'
export { told } from '../told.ts'
export { createFakeDecoder as decoding } from './fake-decoder.ts'
