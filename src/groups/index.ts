export * from './types.js';
export { createGroups } from './groups.js';
export { groupCommandCodec } from './codecs.js';
export { restoreGroups, snapshotGroups } from './snapshot.js';
export { assignedPartitions, subscribedTopics } from './consumer-protocol.js';
