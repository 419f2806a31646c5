import type { Generation, InstanceId, MemberId, TopicName } from '../../kernel/index.js';

/** The errors of Kafka's group APIs, by Kafka's names. `src/wire` maps them to codes. */
export type GroupError =
  | 'OFFSET_METADATA_TOO_LARGE'
  | 'COORDINATOR_NOT_AVAILABLE'
  | 'ILLEGAL_GENERATION'
  | 'INCONSISTENT_GROUP_PROTOCOL'
  | 'INVALID_GROUP_ID'
  | 'UNKNOWN_MEMBER_ID'
  | 'INVALID_SESSION_TIMEOUT'
  | 'REBALANCE_IN_PROGRESS'
  | 'NON_EMPTY_GROUP'
  | 'GROUP_ID_NOT_FOUND'
  | 'MEMBER_ID_REQUIRED'
  | 'GROUP_MAX_SIZE_REACHED'
  | 'FENCED_INSTANCE_ID'
  | 'GROUP_SUBSCRIBED_TO_TOPIC';

/** What one request, member or partition gets. */
export type Verdict = GroupError | 'NONE';

export interface JoinAnswer {
  readonly error: Verdict;
  readonly generation: Generation;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly memberId: MemberId;
  readonly skipAssignment: boolean;
  /** Filled for the leader only. */
  readonly members: readonly {
    readonly memberId: MemberId;
    readonly instanceId: InstanceId | null;
    readonly metadata: Uint8Array;
  }[];
}
export interface SyncAnswer {
  readonly error: Verdict;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Never zero bytes for protocol type "consumer": an encoded empty assignment instead (docs/clients.md#empty-assignment). */
  readonly assignment: Uint8Array;
}

/** What the sender of a command learns. `parked`: the answer follows as news, with this member id. */
export type GroupReply =
  | { readonly kind: 'join'; readonly answer: JoinAnswer }
  | { readonly kind: 'join-parked'; readonly memberId: MemberId }
  | { readonly kind: 'sync'; readonly answer: SyncAnswer }
  | { readonly kind: 'sync-parked'; readonly memberId: MemberId }
  | {
      readonly kind: 'leave';
      readonly error: Verdict;
      readonly members: readonly {
        readonly memberId: MemberId;
        readonly instanceId: InstanceId | null;
        readonly error: Verdict;
      }[];
    }
  /** `error` covers the whole request; otherwise `errors[i]` belongs to `offsets[i]`. */
  | {
      readonly kind: 'commit';
      readonly error: Verdict;
      readonly errors: readonly Verdict[];
    }
  | { readonly kind: 'delete'; readonly error: Verdict }
  | {
      readonly kind: 'deleteOffsets';
      readonly error: Verdict;
      readonly topics: readonly {
        readonly topic: TopicName;
        readonly partitions: readonly { readonly partition: number; readonly error: Verdict }[];
      }[];
    }
  | { readonly kind: 'done' };
