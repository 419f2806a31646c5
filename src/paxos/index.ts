export * from './ballot.js';
export * from './quorum.js';
export type * from './types.js';
export type * from './messages.js';
