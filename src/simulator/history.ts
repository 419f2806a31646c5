import type { GroupId, ReplicaId, ShardId, Slot, TopicName } from '../kernel/index.js';

/** A write or read of the record of one space, in the time of the world. */
export interface RecordAccess {
  readonly space: string;
  readonly kind: 'write' | 'read';
  readonly startedAt: number;
  endedAt: number;
  /** Of a write that was taken, or of what was read (0: nothing there); undefined: not known, or refused. */
  version: number | undefined;
  /** The token that a write carried. */
  readonly token: number | undefined;
}

/** The offsets that one committer commits: each higher than all before. */
export interface Commits {
  readonly group: GroupId;
  readonly topic: TopicName;
  tried: number;
  acknowledged: number;
}

/** A read of what a committer has committed. */
export interface OffsetRead {
  readonly group: GroupId;
  /** What had been acknowledged when the read began. */
  readonly atLeast: number;
  readonly found: number;
  /** What had been tried when it ended. */
  readonly atMost: number;
}

/** What a replica had applied at some moment. */
export interface Sample {
  readonly replica: ReplicaId;
  readonly shard: ShardId;
  readonly through: Slot;
  readonly hash: number;
}

/** A grant that some replica shows. */
export interface GrantSeen {
  readonly replica: ReplicaId;
  readonly scope: string;
  readonly token: number;
  readonly through: Slot;
}

/** A process that ended by itself, or did not start. */
export interface Ending {
  readonly replica: ReplicaId;
  readonly reason: string;
  /** A fault of its disk explains it. */
  readonly explained: boolean;
}

/** What clients and the world saw of a run. */
export interface History {
  readonly records: RecordAccess[];
  readonly commits: Commits[];
  readonly reads: OffsetRead[];
  readonly samples: Sample[];
  readonly grants: GrantSeen[];
  readonly endings: Ending[];
  /** What did not come back within its time after the world had healed. */
  readonly stuck: string[];
}

export const newHistory = (): History => ({
  records: [],
  commits: [],
  reads: [],
  samples: [],
  grants: [],
  endings: [],
  stuck: [],
});
