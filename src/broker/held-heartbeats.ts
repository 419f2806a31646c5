import { type GroupId, monotonicMs, type ShardId } from '../kernel/index.js';
import type { BrokerContext } from './context.js';
import type { Exchange } from './exchange.js';

/**
 * What clients call themselves (KIP-511) whose heartbeats wait in the background, so that nothing of theirs stands still
 * while one is held: Java's, those on librdkafka, franz-go, and `quorate/worker`. Never kafkajs, which gives no name: it awaits
 * each heartbeat between two fetches.
 */
const IN_THE_BACKGROUND: ReadonlySet<string> = new Set([
  'apache-kafka-java',
  'librdkafka',
  'rust-rdkafka',
  'kgo',
  'quorate-worker',
]);
/** Of Confluent, on librdkafka: confluent-kafka-python, -go, -dotnet, -javascript. */
const ON_LIBRDKAFKA = 'confluent-kafka-';
/** Of a session: two holds in a row leave most of it for an outage, and no client gives a request up so early. */
const OF_SESSION = 1 / 6;

export function beatsInTheBackground(software: string): boolean {
  return IN_THE_BACKGROUND.has(software) || software.startsWith(ON_LIBRDKAFKA);
}

/** The key under which the heartbeats of a group wait for news of it. */
export const heldKey = (group: GroupId): string => `heartbeat\u0000${group}`;

/** News after which a steady member of the group is to be answered. */
const NEWS: ReadonlySet<string> = new Set([
  'rebalance-started',
  'member-left',
  'group-empty',
  'group-deleted',
]);
/** Answers the heartbeats that such news concerns. */
export function heartbeatsHear(
  news: { readonly kind: string; readonly group?: GroupId },
  { parked }: BrokerContext,
): void {
  if (news.group !== undefined && NEWS.has(news.kind)) parked.wake(heldKey(news.group));
}

/** For how long the heartbeat of a steady member is held. Milliseconds; 0: it is answered now. */
export function holdMs({ owner }: Exchange<'Heartbeat'>, sessionMs: number, context: BrokerContext): number {
  return owner.mayHold ? Math.min(context.settings.heartbeatHoldMs, sessionMs * OF_SESSION) : 0;
}

/**
 * Parks a steady member's heartbeat until its group has news, its client sends something else over the connection (answers
 * stay in order), or its time is over: whichever comes first. `elsewhere`: this replica coordinates the group no more.
 */
export function holdHeartbeat(
  exchange: Exchange<'Heartbeat'>,
  context: BrokerContext,
  { shard, group, forMs }: { readonly shard: ShardId; readonly group: GroupId; readonly forMs: number },
  answer: (how: 'now' | 'elsewhere') => void,
): void {
  const { parked, coordinator } = context;
  const held = parked.park({
    ...{ kind: 'heartbeat', key: heldKey(group), shard, deadline: monotonicMs(coordinator.now() + forMs) },
    released: ({ kind }) => answer(kind === 'coordinator-lost' || kind === 'stopping' ? 'elsewhere' : 'now'),
  });
  exchange.parkedAs(held);
  exchange.owner.untilNextRequest(() => held.wake());
}
