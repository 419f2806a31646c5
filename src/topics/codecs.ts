import { codec, type TopicId, type TopicName } from '../kernel/index.js';

export const branded = {
  topicName: codec.branded<TopicName, string>()(codec.string),
  topicId: codec.branded<TopicId, string>()(codec.string),
};
