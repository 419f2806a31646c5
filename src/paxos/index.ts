export * from './ballot.js';
export { isFullQuorum, majority, type QuorumDescription, type QuorumSystem, reachedBy } from './quorum.js';
export { quorumProblem, quorumSystem } from './quorum-check.js';
export { quorumDescription } from './quorum-codec.js';
export type * from './types.js';
export type { Member } from './configuration.js';
export { isDroppable, type Message } from './messages.js';
export {
  decodeMessage,
  decodeRecord,
  encodeMessage,
  encodeRecord,
  decodeBegun,
  encodeBegun,
  readMessage,
  writeMessage,
} from './codec.js';
export { configurationOf, sameDeciders } from './configuration.js';
export { createPaxos } from './core.js';
export { RecordOrder } from './record-order.js';
