/** What is used of a kafkajs 2 consumer: its instrumentation events. */
export interface KafkajsConsumer {
  readonly events: {
    readonly GROUP_JOIN: string;
    readonly REBALANCING: string;
    readonly HEARTBEAT: string;
    readonly REQUEST: string;
    readonly STOP: string;
    readonly DISCONNECT: string;
    readonly CRASH: string;
  };
  /** kafkajs has one signature for each event, by its literal name: this is what all of them have in common. */
  on(event: never, listener: (event: { readonly payload: unknown }) => void): () => void;
}

export interface JoinedGroup {
  readonly groupId: string;
  readonly memberId: string;
  /** Undefined: the consumer had joined before it was followed, and only the coordinator knows what it owns. */
  readonly memberAssignment: Readonly<Record<string, readonly number[]>> | undefined;
}

/** What a heartbeat of kafkajs says. */
export interface HeartbeatFacts {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupGenerationId: number;
}

interface MembershipListener {
  /** `sentAt`: when the request left that the coordinator answered; its session timer began no earlier. */
  joined(group: JoinedGroup, sentAt: number): void;
  heartbeat(facts: HeartbeatFacts, sentAt: number): void;
  ended(why: string): void;
}

const JOIN_GROUP = 11;
const HEARTBEAT = 12;
const SYNC_GROUP = 14;

/** Follows a consumer's membership. `now`: milliseconds of a monotonic clock. Returns what stops it. */
export function followMembership(
  consumer: KafkajsConsumer,
  listener: MembershipListener,
  now: () => number,
): () => void {
  /** By API key, when the last request that was answered had left. */
  const sentAt = new Map<number, number>();
  const { events } = consumer;
  const on = <P>(event: string, handle: (payload: P) => void): (() => void) =>
    consumer.on(event as never, ({ payload }) => handle(payload as P));
  const stops = [
    on<{ apiKey: number; duration: number }>(events.REQUEST, ({ apiKey, duration }) => {
      if (![JOIN_GROUP, HEARTBEAT, SYNC_GROUP].includes(apiKey)) return;
      sentAt.set(apiKey, now() - Math.max(0, duration));
      // A member that joins again has stopped work on its partitions: the join tells the others so.
      if (apiKey === JOIN_GROUP) listener.ended('the group is rebalancing');
    }),
    on<JoinedGroup>(events.GROUP_JOIN, (group) => listener.joined(group, sentAt.get(SYNC_GROUP) ?? now())),
    on<HeartbeatFacts>(events.HEARTBEAT, (facts) =>
      listener.heartbeat(facts, sentAt.get(HEARTBEAT) ?? now()),
    ),
    on(events.REBALANCING, () => listener.ended('the group is rebalancing')),
    on(events.STOP, () => listener.ended('the consumer was stopped')),
    on(events.DISCONNECT, () => listener.ended('the consumer has disconnected')),
    on(events.CRASH, () => listener.ended('the consumer has crashed')),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
