import {
  groupId,
  quantileBound,
  shardId,
  topicName,
  type GroupId,
  type ShardId,
  memberId,
} from '../kernel/index.js';
import { endOf, type GroupSummary, type RebalanceRecord, type TopicPartitions } from '../machine/index.js';
import { lagOf, topicOf } from './lag.js';
import { page, type PageQuery } from './pages.js';
import { changeUnderWay, wasRemoved } from './present-replicas.js';
import type { AdminSource } from './port.js';
import type {
  AsOf,
  EndsJson,
  FencesJson,
  GroupDetailJson,
  GroupJson,
  GroupsJson,
  OffsetsJson,
  RebalanceJson,
  RebalancesJson,
  StatusJson,
  TopicPartitionsJson,
  TopicsJson,
} from './shapes.js';

/** What is asked for is not there. `detail` says what to do. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
}

export function asOf(source: AdminSource, shard: ShardId): AsOf {
  return {
    replica: source.self,
    shard,
    slot: source.view(shard).appliedThrough,
    leader: source.leaderOf(shard) ?? null,
  };
}

const everyShard = (source: AdminSource): ShardId[] =>
  Array.from({ length: source.shards }, (_, shard) => shardId(shard));

function group(source: AdminSource, summary: GroupSummary, shard: ShardId): GroupJson {
  const { type, state, protocolType, members, generation } = summary;
  return {
    group: summary.group,
    type,
    state,
    protocolType,
    members,
    generation,
    shard,
    leader: source.leaderOf(shard) ?? null,
  };
}

const partitions = (topics: readonly TopicPartitions[]): TopicPartitionsJson[] =>
  topics.map(({ topic, partitions: numbers }) => ({ topic, partitions: numbers }));

/** Shards of which nothing can be said: no leader is known, or the one that was cannot be heard. */
export function unknownShards(source: AdminSource, shards = everyShard(source)): readonly ShardId[] {
  const up = new Set(source.status().peers.flatMap((peer) => (peer.up ? [peer.id] : [])));
  return shards.filter((shard) => {
    const leader = source.leaderOf(shard);
    return !source.serves(shard) && (leader === undefined || !up.has(leader));
  });
}

export function groups(source: AdminSource, query: PageQuery): GroupsJson {
  const shards = everyShard(source);
  const listed = shards.flatMap((shard) =>
    Array.from(source.view(shard).groups.list(), (summary) => ({ summary, shard })),
  );
  const { items, next } = page(listed, ({ summary }) => summary.group, query);
  return {
    asOf: shards.map((shard) => asOf(source, shard)),
    groups: items.map(({ summary, shard }) => group(source, summary, shard)),
    next,
  };
}

/** The group's shard, if this replica knows the group. Throws NotFound. */
function locate(source: AdminSource, name: string): { readonly id: GroupId; readonly shard: ShardId } {
  const id = groupId(name);
  const shard = source.shardOf(id);
  if (source.view(shard).groups.describe(id) === undefined) {
    throw new NotFound(
      `There is no group "${name}" in what replica ${source.self} has applied. GET /groups lists those there are.`,
    );
  }
  return { id, shard };
}

export function groupDetail(source: AdminSource, name: string): GroupDetailJson {
  const { id, shard } = locate(source, name);
  const described = source.view(shard).groups.describe(id)!;
  return {
    asOf: asOf(source, shard),
    group: {
      ...group(source, described, shard),
      protocolName: described.protocolName,
      groupLeader: described.leader,
    },
    members: described.memberDetails.map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      sessionTimeoutMs: member.sessionTimeoutMs,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      waiting: member.waiting,
      partitions: member.partitions === null ? null : partitions(member.partitions),
    })),
  };
}

export function offsets(source: AdminSource, name: string): OffsetsJson {
  const { id, shard } = locate(source, name);
  const facts = source.view(shardId(0));
  const ends = everyShard(source).map((each) => source.view(each).ends);
  return {
    asOf: asOf(source, shard),
    group: id,
    offsets: [...source.view(shard).groups.committedAll(id)].map((committed) => {
      const { topic, partition, offset, metadata, committedAt } = committed;
      const known = topicOf(facts, committed);
      const end = known === undefined ? null : endOf(ends, known.id, partition);
      return {
        topic,
        partition,
        offset: String(offset),
        metadata,
        committedAt: new Date(committedAt).toISOString(),
        end: end === null ? null : String(end),
        lag: end === null ? null : String(lagOf(end, offset)),
      };
    }),
  };
}

/** Throws NotFound. */
export function ends(source: AdminSource, name: string): EndsJson {
  const topic = source.view(shardId(0)).topics.byName(topicName(name));
  if (topic === undefined)
    throw new NotFound(`There is no topic "${name}". GET /topics lists those there are.`);
  const known = everyShard(source).map((each) => source.view(each).ends);
  return {
    topic: topic.name,
    ends: Array.from({ length: topic.partitions }, (_, partition) => ({
      partition,
      end: String(endOf(known, topic.id, partition)),
    })),
  };
}

const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
const between = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.round(to - from);

function rebalance(record: RebalanceRecord): RebalanceJson {
  const { startedAt, joinedAt, stableAt } = record;
  return {
    trigger: record.trigger,
    generationBefore: record.generationBefore,
    generation: record.generation,
    outcome: record.outcome,
    startedAt: time(startedAt)!,
    joinedAt: time(joinedAt),
    stableAt: time(stableAt),
    stopMs: between(startedAt, joinedAt),
    alignMs: between(joinedAt, stableAt),
    totalMs: between(startedAt, stableAt),
    members: record.members,
    stragglers: record.stragglers.map((each) => ({ ...each, waitedMs: Math.round(each.waitedMs) })),
    partitionsMoved: record.partitionsMoved,
    assignment: record.assignment.map(({ memberId, clientId, topics }) => ({
      memberId,
      clientId,
      topics: partitions(topics),
    })),
  };
}

export function rebalances(source: AdminSource, name: string): RebalancesJson {
  const { id, shard } = locate(source, name);
  return {
    asOf: asOf(source, shard),
    group: id,
    rebalances: source.view(shard).groups.rebalances(id).map(rebalance),
  };
}

export function fences(source: AdminSource, name: string, query: PageQuery, owner?: string): FencesJson {
  const { id, shard } = locate(source, name);
  const { groups } = source.view(shard);
  const granted = groups.fences(id, owner === undefined ? undefined : memberId(owner));
  // Several members may hold one scope: that of a group whose assignments cannot be read.
  const { items, next } = page(granted, (grant) => `${grant.scope} ${grant.owner}`, query);
  const { generation, state, memberDetails } = groups.describe(id)!;
  const sessions = new Map(memberDetails.map((member) => [member.memberId, member.sessionTimeoutMs]));
  return {
    asOf: asOf(source, shard),
    group: id,
    generation,
    state,
    next,
    fences: items.map(({ scope, owner, instanceId, token, generation: grantedIn }) => ({
      scope,
      owner,
      instanceId,
      token,
      generation: grantedIn,
      sessionTimeoutMs: sessions.get(owner) ?? null,
    })),
  };
}

export function topics(source: AdminSource): TopicsJson {
  const facts = shardId(0);
  return { asOf: asOf(source, facts), topics: source.view(facts).topics.all() };
}

function disk(
  source: AdminSource,
  { diskRoom, diskStalls, diskWaitingBytes, diskWritesLately }: ReturnType<AdminSource['status']>,
): StatusJson['disk'] {
  // A disk that hangs may hang this question, too.
  const space = diskStalls ? undefined : source.diskSpace();
  const quickest = (share: number): number | null => {
    const seconds = quantileBound(diskWritesLately, share);
    return seconds === undefined ? null : Math.min(seconds, diskWritesLately.bounds.at(-1)!) * 1_000;
  };
  return {
    room: diskRoom,
    stalls: diskStalls,
    waitingBytes: diskWaitingBytes,
    freeBytes: space?.freeBytes ?? null,
    totalBytes: space?.totalBytes ?? null,
    writesLately: { count: diskWritesLately.count, p50Ms: quickest(0.5), p99Ms: quickest(0.99) },
  };
}

/** `through`: the port that the client came to. */
export function status(source: AdminSource, pid: number, through?: number): StatusJson {
  const { ready, reasons } = source.readiness();
  const replica = source.status();
  return {
    replica: source.self,
    clusterId: source.clusterId,
    pid,
    version: source.version,
    uptimeMs: Math.round(source.uptimeMs()),
    featureLevel: {
      own: replica.featureLevel,
      all: replica.featureLevelOfAll,
      used: replica.featureLevelUsed,
    },
    ready,
    reasons,
    standing: replica.standing,
    removed: wasRemoved(source),
    change: changeUnderWay(source),
    addresses: source.addresses(through),
    peers: replica.peers.map((peer) => ({
      ...peer,
      featureLevel: peer.featureLevel ?? null,
      problem: replica.linkProblems.find(({ id }) => id === peer.id)?.reason ?? null,
      protocol: replica.protocols.find(({ id }) => id === peer.id)?.version ?? null,
    })),
    quorums: replica.quorums,
    failuresTolerated: replica.failuresTolerated,
    failuresToleratedMax: replica.failuresToleratedMax,
    needed: replica.needed,
    clocks: replica.clocks,
    http: source.httpAddresses(through).map(({ id, url }) => ({ id, url: url ?? null })),
    logBytes: replica.logBytes,
    disk: disk(source, replica),
    loopStalls: source.stalls(),
    settings: source.sharedSettings(),
    settingsAdvice: source.settingsAdvice(),
    shards: replica.shards.map((shard) => ({
      shard: shard.shard,
      role: shard.leadership.role,
      serving: shard.leadership.serving,
      leader: shard.leadership.leader ?? null,
      ballot: shard.promised,
      firstSlot: shard.firstSlot,
      lastSlot: shard.lastSlot,
      chosenThrough: shard.chosenThrough,
      appliedThrough: shard.appliedThrough,
      queued: shard.queued,
      inFlight: shard.inFlight,
      hash: shard.hash,
      groups: shard.groups,
      members: shard.members,
      offsets: shard.offsets,
      behind: shard.leadership.serving
        ? shard.peers.map(({ id, matched }) => ({ id, slots: Math.max(0, shard.lastSlot - matched) }))
        : [],
    })),
    broker: source.brokerCounters(),
  };
}
