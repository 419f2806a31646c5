export type * from './types.js';
export type * from '../groups/index.js';
export type * from '../topics/index.js';
export type {
  RecordField,
  RecordFence,
  RecordOperation,
  RecordOutcome,
  RegisterCommand,
  RegisterRecord,
  RegisterReply,
} from '../registers/index.js';
export { RECORD_LIMITS, recordProblem } from '../registers/index.js';
export { endOf, topicCountProblem, topicNameProblem, topicToDelete } from '../topics/index.js';
export { DEFAULT_GROUP_SETTINGS, tokensFromNow } from '../groups/index.js';
export { createMachine, machineInNewCluster, restoreMachine, restoringMachine } from './machine.js';
export type * from './replica-plan.js';
export { plannedReplicas } from './replica-plan.js';
export { snapshotHead } from './snapshot-head.js';
export { decodeCommand, encodeCommand, levelOf } from './commands.js';
export {
  FEATURE_LEVEL,
  FIRST_FEATURE_LEVEL,
  LEVEL_OF_SWITCHES,
  type LevelCommand,
  type LevelReply,
} from './feature-level.js';
