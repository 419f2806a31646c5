export * from './types.js';
export { createTopics, restoreTopics, snapshotTopics, topicCommandCodec, type Topics } from './topics.js';
