export type * from './types.js';
export { createRegisters, registerCommandCodec } from './registers.js';
export { restoreRegisters, restoringRegisters, snapshotRegisters } from './snapshot.js';
export { RECORD_LIMITS, recordProblem } from './limits.js';
