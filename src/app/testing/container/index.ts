/** A Quorate in containers, for the tests of what depends on it. Walk-through: docs/testing-your-app.md. */
export type { Owner, StableOptions } from '../owners.js';
export { QuorateContainer } from './quorate-container.js';
export type { StartedQuorateContainer } from './started-quorate-container.js';
