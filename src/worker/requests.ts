import {
  type AssignableMember,
  BrokerError,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type GroupClient,
  type PartitionsByTopic,
} from '../client/index.js';
import {
  type Beat,
  type Effect,
  type GroupMemberFacts,
  type Input,
  type Joined,
  type Synced,
  UNREACHABLE,
} from './machine-types.js';
import type { Heartbeats } from './heartbeats/threaded.js';
import { assignorNamed, type CheckedOptions } from './options.js';
import type { TopicPartition } from './types.js';

const CONSUMER = 'consumer';
/** How much longer than it may be parked a request is waited for. Milliseconds. */
const GRACE_MS = 5_000;

type Wanted<K extends Effect['kind']> = Extract<Effect, { kind: K }>;

/** Carries out the requests that the machine asks for. None rejects: what went wrong is in the input. */
export class MembershipRequests {
  readonly #client: GroupClient;
  readonly #options: CheckedOptions;
  readonly #now: () => number;
  readonly #heartbeats: () => Heartbeats;
  /** Partitions of the topics as this member shared them out last. Undefined: it is not the one that assigns. */
  #sharedOut: ReadonlyMap<string, number> | undefined;

  constructor(
    client: GroupClient,
    options: CheckedOptions,
    now: () => number,
    heartbeats: () => Heartbeats = () => client,
  ) {
    this.#client = client;
    this.#options = options;
    this.#now = now;
    this.#heartbeats = heartbeats;
  }

  async join({ attempt, memberId, generation, owned, reason }: Wanted<'join'>): Promise<Input> {
    const { topics, sessionTimeoutMs, rebalanceTimeoutMs, assignor: name } = this.#options;
    const metadata = encodeSubscription({ topics, owned: byTopic(owned), generation });
    const about = { sessionTimeoutMs, rebalanceTimeoutMs, protocolType: CONSUMER };
    const protocols = [{ name, metadata }];
    const nobody = { memberId, generation: -1, protocolName: '', members: null };
    return this.#timed<Joined>({ kind: 'joined', attempt, ...nobody }, async () => {
      const answer = await this.#client.join(
        { ...about, memberId, protocols, reason },
        rebalanceTimeoutMs + GRACE_MS,
      );
      const assigns = answer.leader === answer.memberId && !answer.skipAssignment;
      return {
        code: answer.errorCode,
        memberId: answer.memberId,
        generation: answer.generationId,
        protocolName: answer.protocolName ?? '',
        members: assigns
          ? answer.members.map((member) => ({ ...member, instanceId: member.groupInstanceId }))
          : null,
      };
    });
  }

  async sync(wanted: Wanted<'sync'>): Promise<Input> {
    const { attempt, memberId, generation, protocolName, members } = wanted;
    let assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[] = [];
    try {
      if (members === null) this.#sharedOut = undefined;
      else assignments = await this.#shareOut(members);
    } catch (error) {
      return { kind: 'not-assigned', attempt, detail: (error as Error).message };
    }
    return this.#timed<Synced>({ kind: 'synced', attempt, assigned: [] }, async () => {
      const { errorCode, assignment, fenceTokens, disconnectGraceMs } = await this.#client.sync(
        { memberId, generation },
        { type: CONSUMER, name: protocolName },
        assignments,
        this.#options.rebalanceTimeoutMs + GRACE_MS,
      );
      if (errorCode !== 0) return { code: errorCode };
      const assigned = withTokens(decodeAssignment(assignment), fenceTokens);
      return { code: 0, assigned, graceMs: disconnectGraceMs };
    });
  }

  async heartbeat({ memberId, generation }: Wanted<'heartbeat'>): Promise<Input> {
    return this.#timed<Beat>({ kind: 'beat', memberId, generation }, () =>
      this.#heartbeats().heartbeat({ memberId, generation }),
    );
  }

  async leave({ memberId, reason }: Wanted<'leave'>): Promise<Input> {
    // Unheard, the session ends at the coordinator.
    await this.#client.leave(memberId, reason).catch(() => undefined);
    return { kind: 'left' };
  }

  /** The topics have other partitions than this member shared out. Rejects while no broker can tell. */
  async topicsHaveChanged(): Promise<boolean> {
    const before = this.#sharedOut;
    if (before === undefined) return false;
    const now = await this.#client.cluster.partitionsOf([...before.keys()], false);
    return (
      before === this.#sharedOut && [...before].some(([topic, count]) => (now.get(topic) ?? 0) !== count)
    );
  }

  async #shareOut(
    members: readonly GroupMemberFacts[],
  ): Promise<readonly { readonly memberId: string; readonly assignment: Buffer }[]> {
    const takers: readonly AssignableMember[] = members.map(({ memberId, instanceId, metadata }) => ({
      ...decodeSubscription(metadata),
      memberId,
      instanceId,
    }));
    const topics = [...new Set(takers.flatMap((taker) => taker.topics))];
    const found = await this.#client.cluster.partitionsOf(topics, false);
    this.#sharedOut = new Map(topics.map((topic) => [topic, found.get(topic) ?? 0]));
    const shares = assignorNamed(this.#options.assignor)(takers, found);
    return [...shares].map(([memberId, share]) => ({ memberId, assignment: encodeAssignment(share) }));
  }

  async #timed<T extends Joined | Synced | Beat>(
    base: Omit<T, 'sentAt' | 'code'>,
    ask: () => Promise<Partial<T> & { readonly code: number }>,
  ): Promise<T> {
    const sentAt = this.#now();
    try {
      return { ...base, ...(await ask()), sentAt } as unknown as T;
    } catch (error) {
      const code = error instanceof BrokerError ? error.errorCode : UNREACHABLE;
      return { ...base, sentAt, code, detail: (error as Error).message } as unknown as T;
    }
  }
}

function byTopic(partitions: readonly TopicPartition[]): PartitionsByTopic {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return topics;
}

type Tokens = readonly {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly token: number | bigint }[];
}[];

/** From a coordinator that gives tokens, a partition without one is not this member's: it was given to two. */
function withTokens(assignment: PartitionsByTopic, tokens: Tokens): Synced['assigned'] {
  const known = new Map<string, bigint>();
  for (const { topic, partitions } of tokens)
    for (const { partition, token } of partitions) known.set(`${partition}/${topic}`, BigInt(token));
  return [...assignment].flatMap(([topic, partitions]) =>
    partitions.flatMap((partition) => {
      const token = known.get(`${partition}/${topic}`) ?? null;
      return token === null && tokens.length > 0 ? [] : [{ topic, partition, token }];
    }),
  );
}
