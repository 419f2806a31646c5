export * from './ballot.js';
export * from './quorum.js';
export type * from './types.js';
export { isDroppable, type Message } from './messages.js';
export { decodeMessage, decodeRecord, encodeMessage, encodeRecord } from './codec.js';
export { createPaxos } from './core.js';
export { RecordOrder } from './record-order.js';
