import type { Settings } from '../../src/app/settings.js';

/** Quorate's settings in a comparison: where a setting makes it do as Kafka does, it does. */
export const COMPARABLE_SETTINGS: Partial<Settings> = {
  commitOwnership: 'kafka',
  initialQuietMs: 0,
  sessionTimeoutMsMin: 500,
  groupSizeMax: 5,
  autoCreateTopics: false,
  autoCreatePartitions: 1,
};

/** The properties of a Kafka that is compared with: one thread each, so that it reads requests in the order they came. */
export const PEER_PROPERTIES: Readonly<Record<string, string>> = {
  'num.network.threads': '1',
  'num.io.threads': '1',
  'offsets.topic.num.partitions': '4',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '500',
  'group.max.size': '5',
  'auto.create.topics.enable': 'false',
};
