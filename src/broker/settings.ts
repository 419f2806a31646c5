export type CommitOwnership = 'owner' | 'kafka';

/** What an operator may set. Every limit bounds what one client, or all of them, can make a replica hold. */
export interface BrokerSettings {
  /**
   * The largest request frame; a longer one closes its connection. Requests of one connection that are under way together
   * are no longer either. Bytes.
   */
  readonly frameBytesMax: number;
  /** Connections beyond this are closed at once. */
  readonly connectionsMax: number;
  /** Requests of one connection without an answer; at this many its socket is not read any more. */
  readonly maxInFlightPerConnection: number;
  /** A connection without a byte and without a waiting request for this long is closed (Kafka: connections.max.idle.ms). */
  readonly connectionIdleMs: number;
  /** Answers a client has not read; beyond this its connection is closed. Bytes. */
  readonly outgoingBytesMax: number;
  /**
   * How long `stop` waits until the members of groups have been told that another replica coordinates them. Whoever hears of it
   * by a connection that breaks may give up its membership: kafkajs does, which is a rebalance. Milliseconds.
   */
  readonly membersMoveMs: number;
  /** How long `stop` waits for answers under way, after that. Milliseconds. */
  readonly stopGraceMs: number;
  /**
   * The longest time for which the heartbeat of a steady member waits for news of its group, at most a sixth of its session. Only
   * of clients that do not wait for the answer. 0: all are answered at once. Milliseconds.
   */
  readonly heartbeatHoldMs: number;
  /**
   * A dynamic member whose connection ended without a leave is removed when it is not back within this, and others of its group are
   * there. 0: only its session ends it. Milliseconds.
   */
  readonly disconnectGraceMs: number;
  /** The longest time an empty Fetch is held, whatever the client asks for. Milliseconds. */
  readonly fetchHoldMsMax: number;
  /** Whose commit of a partition is taken: its owner's alone, or as in Kafka that of any member. */
  readonly commitOwnership: CommitOwnership;
  readonly topicPartitionsMax: number;
  readonly topicsMax: number;
  /** For CreateTopics with -1 partitions. */
  readonly topicPartitionsDefault: number;
  /** Topics made by being asked for in Metadata. */
  readonly autoCreateTopics: { readonly enabled: boolean; readonly partitions: number };
}

export const DEFAULT_BROKER_SETTINGS: BrokerSettings = {
  frameBytesMax: 16 * 1024 * 1024,
  connectionsMax: 20_000,
  maxInFlightPerConnection: 64,
  connectionIdleMs: 600_000,
  outgoingBytesMax: 16 * 1024 * 1024,
  membersMoveMs: 6_000,
  stopGraceMs: 5_000,
  heartbeatHoldMs: 3_000,
  disconnectGraceMs: 3_000,
  fetchHoldMsMax: 300_000,
  commitOwnership: 'owner',
  topicPartitionsMax: 10_000,
  topicsMax: 50_000,
  topicPartitionsDefault: 8,
  autoCreateTopics: { enabled: false, partitions: 8 },
};
