import type { GroupId, MemberId } from '../kernel/index.js';
import type { GroupNews } from '../machine/index.js';
import type { Clock, Coordinator } from '../replica/index.js';
import type { ApiName, RequestOf } from '../wire/index.js';
import type { ClusterFacts } from './cluster-facts.js';
import type { Counters } from './counters.js';
import type { DrainRequests } from './drain-requests.js';
import type { Exchange } from './exchange.js';
import type { ParkedTable } from './parked.js';
import type { RequestTracer } from './request-tracer.js';
import type { BrokerSettings } from './settings.js';
import type { Speakers } from './speakers.js';
import type { TopicCreation } from './topic-creation.js';

/** News that answers a parked request. */
export type AwaitedNews = Extract<GroupNews, { kind: 'join-answer' | 'sync-answer' }>;

/** The key under which a member's parked JoinGroup or SyncGroup waits for its news. */
export function awaitedKey(kind: AwaitedNews['kind'], group: GroupId, member: MemberId): string {
  return `${kind}\u0000${group}\u0000${member}`;
}

/** All that handlers work with. */
export interface BrokerContext {
  readonly coordinator: Coordinator;
  readonly settings: BrokerSettings;
  readonly counters: Counters;
  readonly facts: ClusterFacts;
  readonly parked: ParkedTable<AwaitedNews>;
  readonly creation: TopicCreation;
  readonly drains: DrainRequests;
  readonly speakers: Speakers;
  readonly tracer: RequestTracer | undefined;
  /** For work in slices. */
  readonly clock: Pick<Clock, 'monotonic' | 'endOfTurn'>;
}

/** Answers the exchange now or later, exactly once. What it keeps of the request keeps the frame's memory alive. */
export type Handler<N extends ApiName> = (
  request: RequestOf<N>,
  exchange: Exchange<N>,
  context: BrokerContext,
) => void;
/** Does not compile while an API of the registry has no handler. */
export type Handlers = { readonly [N in ApiName]: Handler<N> };
