export type * from './types.js';
export { createRegisters, registerCommandCodec } from './registers.js';
export { restoringRegisters, snapshotRegisters } from './snapshot.js';
export { RECORD_LIMITS, recordProblem } from './limits.js';
