export * from './types.js';
export { endOf, Ends, type EndsView, partitionEnd } from './ends.js';
export {
  createTopics,
  endsCommandCodec,
  restoreTopics,
  snapshotTopics,
  topicCommandCodec,
  type TopicChange,
  type Topics,
} from './topics.js';
