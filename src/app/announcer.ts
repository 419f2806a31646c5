import type { Log } from '../kernel/index.js';
import type { News, RebalanceRecord, TopicPartitions } from '../machine/index.js';
import type { Coordinator } from '../replica/index.js';

/** One line for each thing a person wants to know, from the replica that leads, so that each is said once. */
export function announce(coordinator: Coordinator, log: Log): void {
  const leading = new Set<number>();
  let scheduled = false;
  coordinator.onLeadership((shard, { serving }) => {
    const before = leading.has(shard);
    if (serving === before) return;
    if (serving) leading.add(shard);
    else leading.delete(shard);
    if (scheduled) return;
    // Eight shards change hands within milliseconds of each other: one line for all of them.
    scheduled = true;
    setTimeout(() => {
      scheduled = false;
      const shards = [...leading].sort((a, b) => a - b);
      log.info(shards.length === 0 ? 'leads no shard' : `leads shard ${shards.join(', ')}`, { shards });
    }, 50).unref();
  });
  const comings = new Comings(log);
  coordinator.onNews((shard, news, serving) => {
    if (!serving) return;
    for (const item of news) {
      const line = lineFor(item);
      if (line === undefined) continue;
      if ((item.kind === 'member-joined' || item.kind === 'member-left') && !comings.named(item)) continue;
      if (item.kind === 'assigned-twice') log.warn(line, { shard, ...factsOf(item) });
      else log.info(line, { shard, ...factsOf(item) });
    }
  });
}

/** So many members of a group that come or go within a second have a line each. */
const NAMED_MAX = 20;
const NAMED_EVERY_MS = 1_000;

/** Who joins and leaves: a line for each member, until they are so many that one line for all says more. */
class Comings {
  readonly #log: Log;
  /** Of the second that runs, by group. */
  readonly #counts = new Map<string, { joined: number; left: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether this one has a line of its own. */
  named({ kind, group }: Extract<News, { kind: 'member-joined' | 'member-left' }>): boolean {
    let count = this.#counts.get(group);
    if (count === undefined) {
      this.#counts.set(group, (count = { joined: 0, left: 0 }));
      setTimeout(() => this.#sum(group), NAMED_EVERY_MS).unref();
    }
    if (kind === 'member-joined') count.joined++;
    else count.left++;
    return count.joined + count.left <= NAMED_MAX;
  }
  #sum(group: string): void {
    const { joined, left } = this.#counts.get(group)!;
    this.#counts.delete(group);
    if (joined + left <= NAMED_MAX) return;
    const event = 'members-changed';
    this.#log.info(`${group}: ${joined} members joined and ${left} left within a second`, {
      event,
      group,
      joined,
      left,
    });
  }
}

/** The fields of a line in JSON logs, named as in the HTTP API. */
function factsOf(news: News): Readonly<Record<string, unknown>> {
  switch (news.kind) {
    case 'member-joined':
      return { event: news.kind, group: news.group, member: news.memberId, clientHost: news.clientHost };
    case 'member-left':
      return { event: news.kind, group: news.group, member: news.memberId, cause: news.cause };
    case 'rebalance-ended': {
      const { generation, outcome, trigger } = news.record;
      return { event: news.kind, group: news.group, generation, outcome, trigger };
    }
    case 'assigned-twice': {
      const { group, assignor, leader, partitions, scope, owner, loser } = news;
      return { event: news.kind, group, assignor, leader, partitions, scope, owner, loser };
    }
    case 'group-deleted':
      return { event: news.kind, group: news.group };
    case 'topic-created':
    case 'topic-changed':
    case 'topic-deleted':
    case 'ends-set-back':
      return { event: news.kind, topic: news.topic.name, partitions: news.topic.partitions };
    default:
      return { event: news.kind };
  }
}

/** Undefined: nothing worth a line. */
function lineFor(news: News): string | undefined {
  switch (news.kind) {
    case 'member-joined':
      return `${news.group}: ${news.memberId} joined from ${news.clientHost}`;
    case 'member-left':
      return `${news.group}: ${news.memberId} ${CAUSES[news.cause]}`;
    case 'rebalance-ended':
      return rebalanceLine(news.group, news.record);
    case 'assigned-twice':
      return (
        `${news.group}: the assignor ${news.assignor ?? '?'} of the group leader ${news.leader ?? '?'} gave ${news.scope} to ` +
        `two members: ${news.owner} owns it, ${news.loser} gets no token (${news.partitions} such partitions)`
      );
    case 'group-empty':
      return undefined;
    case 'group-deleted':
      return `${news.group}: deleted`;
    case 'topic-created':
      return `topic ${news.topic.name} created with ${news.topic.partitions} partitions`;
    case 'topic-deleted':
      return `topic ${news.topic.name} deleted`;
    case 'topic-changed':
      return `topic ${news.topic.name} has ${news.topic.partitions} partitions now`;
    case 'ends-set-back':
      return `topic ${news.topic.name}: ends of partitions were set back`;
    case 'join-answer':
    case 'sync-answer':
    case 'rebalance-started':
    // The replica itself says what a plan does.
    case 'replicas-changed':
    case 'level-raised':
      return undefined;
  }
}

const CAUSES = {
  left: 'left',
  'session-expired': 'sent no heartbeat within its session timeout and was removed',
  'missed-rebalance': 'did not rejoin within the rebalance timeout and was removed',
  'missed-sync': 'did not send SyncGroup in time and was removed',
  replaced: 'was replaced by a new process with the same group.instance.id',
  removed: 'was removed',
  unanswered: 'lost its coordinator before it was told that it had joined, and must join again',
} as const;

/** A line names so many members at most. The record of the rebalance has all of them. */
const OWNERS_NAMED = 50;

function rebalanceLine(group: string, record: RebalanceRecord): string | undefined {
  const { outcome, generation, startedAt, stableAt, assignment, partitionsMoved } = record;
  if (outcome === 'empty') return `${group}: generation ${generation}, no member is left`;
  if (outcome !== 'stable' || stableAt === null) return undefined;
  const owners = assignment
    .slice(0, OWNERS_NAMED)
    .map(
      ({ clientId, memberId, topics }) =>
        `${clientId === '' ? memberId : clientId} ${partitionsText(topics)}`,
    );
  if (assignment.length > OWNERS_NAMED) owners.push(`and ${assignment.length - OWNERS_NAMED} more members`);
  const moved = partitionsMoved === null ? '' : `, ${partitionsMoved} moved`;
  return `${group}: generation ${generation} is stable after ${Math.round(stableAt - startedAt)} ms${moved}: ${owners.join('; ')}`;
}

function partitionsText(topics: readonly TopicPartitions[]): string {
  if (topics.length === 0) return 'nothing';
  return topics.map(({ topic, partitions }) => `${topic}[${ranges(partitions)}]`).join(' ');
}

/** 0,1,2,5 -> 0-2,5 */
function ranges(partitions: readonly number[]): string {
  const sorted = [...partitions].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(',');
}
