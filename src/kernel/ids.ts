/** Names of things. A brand stops a slot from being passed as a generation. At run time a branded value is its base type. */
declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A replica of the cluster: integer, 0 <= id < 2^31 - 2^20 (clients reserve the ids above). Stable across restarts. */
export type ReplicaId = Brand<number, 'ReplicaId'>;
/** One of the independent Paxos logs of a cluster: 0 <= id < shards. */
export type ShardId = Brand<number, 'ShardId'>;
/** A position in a shard's log. The first slot is 1; 0 means "before the log". At most 2^53. */
export type Slot = Brand<number, 'Slot'>;
export type GroupId = Brand<string, 'GroupId'>;
export type MemberId = Brand<string, 'MemberId'>;
/** The name of a static member (Kafka: group.instance.id, KIP-345). */
export type InstanceId = Brand<string, 'InstanceId'>;
export type TopicName = Brand<string, 'TopicName'>;
/** UUID v4 in canonical text form, lower case. */
export type TopicId = Brand<string, 'TopicId'>;
/** The number of a classic group's membership (Kafka: generation), int32. Only grows; -1 means none. */
export type Generation = Brand<number, 'Generation'>;
/** The slot in which the current owner of a partition was granted it. Grows when the owner changes. At most 2^53. */
export type FenceToken = Brand<number, 'FenceToken'>;
/** Milliseconds of a local clock that only goes forward. Meaningless on another machine. */
export type MonotonicMs = Brand<number, 'MonotonicMs'>;
/** Milliseconds since 1970, as the leader saw them when it stamped a command. For people and retention, never for safety. */
export type WallMs = Brand<number, 'WallMs'>;

export const replicaId = (value: number): ReplicaId => value as ReplicaId;
export const shardId = (value: number): ShardId => value as ShardId;
export const slot = (value: number): Slot => value as Slot;
export const groupId = (value: string): GroupId => value as GroupId;
export const memberId = (value: string): MemberId => value as MemberId;
export const instanceId = (value: string): InstanceId => value as InstanceId;
export const topicName = (value: string): TopicName => value as TopicName;
export const topicId = (value: string): TopicId => value as TopicId;
export const generation = (value: number): Generation => value as Generation;
export const fenceToken = (value: number): FenceToken => value as FenceToken;
export const monotonicMs = (value: number): MonotonicMs => value as MonotonicMs;
export const wallMs = (value: number): WallMs => value as WallMs;

export const NO_SLOT = slot(0);
export const nextSlot = (value: Slot): Slot => slot(value + 1);
