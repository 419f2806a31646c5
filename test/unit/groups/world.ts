import assert from 'node:assert/strict';
import {
  type Int64,
  codec,
  generation,
  groupId,
  instanceId,
  memberId,
  slot,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import {
  createGroups,
  DEFAULT_GROUP_SETTINGS,
  type GroupCommand,
  groupCommandCodec,
  type GroupNews,
  type GroupOutcome,
  type GroupReply,
  type Groups,
  restoreGroups,
  snapshotGroups,
  type Timer,
  type TimerChange,
} from '../../../src/groups/index.js';
import { encodeAssignment, encodeSubscription } from '../../harness/consumer-protocol.js';

export const GROUP = 'billing';
export const TOPIC = 'tenants';

export interface JoinOptions {
  readonly group?: string;
  readonly id?: string;
  readonly instance?: string | null;
  /** The id to be given when a new one is needed. */
  readonly newId?: string;
  readonly protocols?: readonly string[];
  readonly protocolType?: string;
  readonly topics?: readonly string[];
  /** Instead of the subscription to `topics`. */
  readonly metadata?: Uint8Array;
  readonly idRequired?: boolean;
  readonly sessionMs?: number;
  readonly rebalanceMs?: number;
  readonly resuming?: boolean;
  readonly canSkipAssignment?: boolean;
  readonly sizeMax?: number;
}

/** The groups of one shard, their timers, and the news by member: a leader of paper. Every command goes through its bytes. */
export class GroupsWorld {
  groups: Groups = createGroups();
  at = 1_000_000;
  slot = 0;
  readonly timers = new Map<
    string,
    { readonly timer: Timer; readonly dueAt: number; readonly token: number; group: string }
  >();
  news: GroupNews[] = [];
  #ids = 0;

  /** As the sweep of the leader does it; that of version 0.1.0 comes to the same. */
  expire(offsetsRetentionMs: number): void {
    const old = restoreGroups(Buffer.concat([...snapshotGroups(this.groups)]));
    const groups = [...this.groups.expirable(wallMs(this.at), offsetsRetentionMs)].flatMap((found) =>
      found === null
        ? []
        : [
            {
              group: found.group,
              topics: found.topic === null ? [] : [{ topic: found.topic, partitions: [found.partition] }],
            },
          ],
    );
    this.apply({ kind: 'group.expireThese', offsetsRetentionMs, groups });
    old.apply(
      { kind: 'group.expireOffsets', offsetsRetentionMs },
      { slot: slot(this.slot), at: wallMs(this.at) },
    );
    const bytes = [this.groups, old].map((each) => Buffer.concat([...snapshotGroups(each)]).toString('hex'));
    assert.equal(bytes[0], bytes[1]);
  }
  apply(command: GroupCommand): GroupOutcome {
    const decoded = codec.decode(groupCommandCodec, codec.encode(groupCommandCodec, command));
    const outcome = this.groups.apply(decoded, { slot: slot(++this.slot), at: wallMs(this.at) });
    for (const change of outcome.timers) this.#change(change);
    this.news.push(...outcome.news);
    return outcome;
  }
  #change(change: TimerChange): void {
    if (change.kind === 'cancel-group') {
      for (const kind of ['initial', 'join', 'sync'] as const)
        this.timers.delete(key(change.group, { kind }));
      return;
    }
    const { group, timer } = change;
    if (change.kind === 'cancel') this.timers.delete(key(group, timer));
    else
      this.timers.set(key(group, timer), {
        timer,
        group,
        token: change.token,
        dueAt: this.at + change.afterMs,
      });
  }

  /** Time passes; what is due fires, earliest first. */
  pass(ms: number): void {
    const end = this.at + ms;
    for (;;) {
      const next = [...this.timers.entries()].sort(([, a], [, b]) => a.dueAt - b.dueAt)[0];
      if (next === undefined || next[1].dueAt > end) break;
      const [id, { timer, token, dueAt, group }] = next;
      this.timers.delete(id);
      this.at = Math.max(this.at, dueAt);
      this.apply({ kind: 'group.expire', group: groupId(group), timer, token });
    }
    this.at = end;
  }

  /** The state through bytes, and every timer anew: what a failover after a snapshot does. */
  failOver(): void {
    this.groups = restoreGroups(join(snapshotGroups(this.groups)));
    this.timers.clear();
    for (const change of this.groups.timers()) this.#change(change);
  }

  /** As `failOver`, and the new leader calls the roll. */
  takeOver(): void {
    this.failOver();
    const quietMs = DEFAULT_GROUP_SETTINGS.initialQuietMs;
    if (this.groups.hasUnanswered) this.apply({ kind: 'group.rollCall', quietMs });
  }
  snapshot(): Buffer {
    return join(snapshotGroups(this.groups));
  }

  join(options: JoinOptions = {}): GroupReply {
    const { sizeMax, topics = [TOPIC] } = options;
    return this.apply({
      kind: 'group.join',
      group: groupId(options.group ?? GROUP),
      memberId: memberId(options.id ?? ''),
      newMemberId: memberId(options.newId ?? `m-${++this.#ids}`),
      instanceId:
        options.instance === undefined || options.instance === null ? null : instanceId(options.instance),
      clientId: options.newId ?? options.id ?? 'client',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: options.sessionMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceMs ?? 30_000,
      protocolType: options.protocolType ?? 'consumer',
      protocols: (options.protocols ?? ['range']).map((name) => ({
        name,
        metadata: options.metadata ?? encodeSubscription(topics),
      })),
      memberIdRequired: options.idRequired ?? false,
      canSkipAssignment: options.canSkipAssignment ?? false,
      reason: null,
      resuming: options.resuming ?? false,
      settings: { ...DEFAULT_GROUP_SETTINGS, ...(sizeMax === undefined ? {} : { groupSizeMax: sizeMax }) },
    }).reply;
  }
  sync(
    id: string,
    assignments: Readonly<Record<string, readonly number[]>> = {},
    options: {
      readonly generation?: number;
      readonly instance?: string;
      readonly protocol?: string;
      readonly group?: string;
    } = {},
  ): GroupReply {
    return this.apply({
      kind: 'group.sync',
      group: groupId(options.group ?? GROUP),
      generation: generation(options.generation ?? this.generation),
      memberId: memberId(id),
      instanceId: options.instance === undefined ? null : instanceId(options.instance),
      protocolType: 'consumer',
      protocolName: options.protocol ?? this.protocol ?? 'range',
      assignments: Object.entries(assignments).map(([target, partitions]) => ({
        memberId: memberId(target),
        assignment: encodeAssignment({ [TOPIC]: partitions }),
      })),
    }).reply;
  }
  heartbeat(id: string, options: { readonly generation?: number; readonly instance?: string } = {}): string {
    const { error, renew } = this.groups.heartbeat({
      group: groupId(GROUP),
      generation: generation(options.generation ?? this.generation),
      memberId: memberId(id),
      instanceId: options.instance === undefined ? null : instanceId(options.instance),
    });
    const timer = this.timers.get(key(GROUP, { kind: 'session', member: memberId(id) }));
    if (renew && timer !== undefined) {
      const member = this.groups
        .describe(groupId(GROUP))!
        .memberDetails.find((each) => each.memberId === id)!;
      this.timers.set(key(GROUP, timer.timer), { ...timer, dueAt: this.at + member.sessionTimeoutMs });
    }
    return error;
  }
  commit(
    id: string,
    partition: number,
    offset: number,
    options: {
      readonly generation?: number;
      readonly instance?: string;
      readonly metadata?: string;
      readonly groupNotFoundKnown?: boolean;
    } = {},
  ): GroupReply {
    return this.apply({
      kind: 'group.commit',
      group: groupId(GROUP),
      generation: generation(options.generation ?? this.generation),
      memberId: memberId(id),
      instanceId: options.instance === undefined ? null : instanceId(options.instance),
      groupNotFoundKnown: options.groupNotFoundKnown ?? false,
      retentionMs: null,
      offsetMetadataBytesMax: 16,
      offsets: [
        {
          topic: topicName(TOPIC),
          topicId: null,
          partition,
          offset,
          leaderEpoch: -1,
          metadata: options.metadata ?? '',
        },
      ],
    }).reply;
  }
  leave(...members: readonly { readonly id?: string; readonly instance?: string }[]): GroupReply {
    return this.apply({
      kind: 'group.leave',
      group: groupId(GROUP),
      members: members.map(({ id, instance }) => ({
        memberId: memberId(id ?? ''),
        instanceId: instance === undefined ? null : instanceId(instance),
        reason: null,
      })),
    }).reply;
  }

  get state(): string {
    return this.groups.describe(groupId(GROUP))?.state ?? 'missing';
  }
  get generation(): number {
    return this.groups.describe(groupId(GROUP))?.generation ?? 1;
  }
  get protocol(): string | null {
    return this.groups.describe(groupId(GROUP))?.protocolName ?? null;
  }
  get leader(): string | null {
    return this.groups.describe(groupId(GROUP))?.leader ?? null;
  }
  get members(): readonly string[] {
    return this.groups.describe(groupId(GROUP))?.memberDetails.map((member) => member.memberId) ?? [];
  }
  committed(partition: number): Int64 | undefined {
    return this.groups.committed(groupId(GROUP), topicName(TOPIC), partition)?.offset;
  }
  fences(): ReadonlyMap<string, { readonly owner: string; readonly token: number }> {
    return new Map(
      this.groups
        .fences(groupId(GROUP))
        .map(({ scope, owner, token }) => [scope, { owner, token: Number(token) }]),
    );
  }
  /** News of one kind about the group since the last call of `forget`. */
  told<K extends GroupNews['kind']>(kind: K): readonly Extract<GroupNews, { kind: K }>[] {
    return this.news.filter((item): item is Extract<GroupNews, { kind: K }> => item.kind === kind);
  }
  forget(): void {
    this.news = [];
  }

  /** A stable group of these members; the first one leads. Partition i goes to member i. */
  stable(...ids: readonly string[]): void {
    for (const id of ids) this.join({ newId: id });
    this.pass(200);
    this.sync(ids[0]!, Object.fromEntries(ids.map((id, i) => [id, [i]])));
    for (const id of ids.slice(1)) this.sync(id);
  }
}

const key = (group: string, timer: Timer): string =>
  'member' in timer ? `${group} ${timer.kind} ${timer.member}` : `${group} ${timer.kind}`;

const join = (chunks: Iterable<Uint8Array> | Uint8Array): Buffer =>
  chunks instanceof Uint8Array ? Buffer.from(chunks) : Buffer.concat([...chunks]);

/** What the sender learns, in one word. */
export function answerOf(reply: GroupReply): string {
  switch (reply.kind) {
    case 'join-parked':
    case 'sync-parked':
      return 'waits';
    case 'join':
    case 'sync':
      return reply.answer.error;
    case 'leave':
      return reply.error === 'NONE'
        ? (reply.members.find(({ error }) => error !== 'NONE')?.error ?? 'NONE')
        : reply.error;
    case 'commit':
      return reply.error === 'NONE'
        ? (reply.errors.find((error) => error !== 'NONE') ?? 'NONE')
        : reply.error;
    case 'delete':
      return reply.error;
    case 'deleteOffsets':
      return reply.error === 'NONE'
        ? (reply.topics.flatMap(({ partitions }) => partitions).find(({ error }) => error !== 'NONE')
            ?.error ?? 'NONE')
        : reply.error;
    case 'done':
      return 'done';
  }
}
