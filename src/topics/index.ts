export * from './types.js';
export {
  createTopics,
  restoreTopics,
  snapshotTopics,
  topicCommandCodec,
  type TopicChange,
  type Topics,
} from './topics.js';
