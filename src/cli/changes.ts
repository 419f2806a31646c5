import type { FencesJson, GroupDetailJson, RebalanceJson } from '../admin/index.js';
import { causeText, stragglersText } from './group-views.js';
import { duration, ranges } from './format.js';

/** A group at one moment. */
export interface Seen {
  /** Null: there is no such group. */
  readonly detail: GroupDetailJson | null;
  readonly fences: FencesJson['fences'];
  readonly rebalances: readonly RebalanceJson[];
}

/** What became of a group from one look to the next. The JSON of `quorate groups watch --json`: add, never rename. */
export type Change =
  | { readonly kind: 'group-appeared' | 'group-gone' }
  | {
      readonly kind: 'coordinator-moved';
      readonly from: number | null;
      readonly to: number | null;
    }
  | {
      readonly kind: 'member-joined' | 'member-left';
      readonly memberId: string;
      readonly clientId: string;
      readonly clientHost: string;
    }
  | { readonly kind: 'rebalance-started'; readonly trigger: RebalanceJson['trigger'] }
  | {
      readonly kind: 'rebalance-ended';
      readonly generation: number;
      readonly outcome: string;
      readonly totalMs: number | null;
      readonly partitionsMoved: number | null;
      readonly stragglers: RebalanceJson['stragglers'];
    }
  /** Null: nobody owned them before, or nobody does now. */
  | {
      readonly kind: 'handed-over';
      readonly from: string | null;
      readonly to: string | null;
      readonly partitions: readonly { readonly scope: string; readonly token: number | null }[];
    };

export function changesBetween(before: Seen, after: Seen): readonly Change[] {
  return [
    ...ofGroup(before.detail, after.detail),
    ...ofRebalances(before.rebalances, after.rebalances, 'started'),
    ...ofMembers(before.detail?.members ?? [], after.detail?.members ?? []),
    ...ofFences(before.fences, after.fences),
    ...ofRebalances(before.rebalances, after.rebalances, 'ended'),
  ];
}

function ofGroup(before: Seen['detail'], after: Seen['detail']): readonly Change[] {
  if (before === null) return after === null ? [] : [{ kind: 'group-appeared' }];
  if (after === null) return [{ kind: 'group-gone' }];
  const [from, to] = [before.group.leader, after.group.leader];
  return from === to ? [] : [{ kind: 'coordinator-moved', from, to }];
}

type Members = GroupDetailJson['members'];
function ofMembers(before: Members, after: Members): readonly Change[] {
  const without = (some: Members, others: Members): Members => {
    const ids = new Set(others.map(({ memberId }) => memberId));
    return some.filter(({ memberId }) => !ids.has(memberId));
  };
  const change = (
    kind: 'member-joined' | 'member-left',
    { memberId, clientId, clientHost }: Members[number],
  ) => ({ kind, memberId, clientId, clientHost }) as const;
  return [
    ...without(before, after).map((member) => change('member-left', member)),
    ...without(after, before).map((member) => change('member-joined', member)),
  ];
}

type Rebalances = Seen['rebalances'];
const nameOf = ({ generationBefore, startedAt, trigger }: RebalanceJson): string =>
  `${generationBefore} ${startedAt} ${trigger.cause} ${trigger.memberId}`;

function ofRebalances(before: Rebalances, after: Rebalances, which: 'started' | 'ended'): readonly Change[] {
  const known = new Map(before.map((each) => [nameOf(each), each]));
  const fresh = after.filter((each) => {
    const then = known.get(nameOf(each));
    return which === 'started'
      ? then === undefined
      : each.outcome !== 'running' && (then === undefined || then.outcome === 'running');
  });
  if (which === 'started') return fresh.map(({ trigger }) => ({ kind: 'rebalance-started', trigger }));
  return fresh.map(({ generation, outcome, totalMs, partitionsMoved, stragglers }) => ({
    kind: 'rebalance-ended',
    generation,
    outcome,
    totalMs,
    partitionsMoved,
    stragglers,
  }));
}

type HandedOver = Extract<Change, { kind: 'handed-over' }>;
/** By who had them and who has them. */
function ofFences(before: Seen['fences'], after: Seen['fences']): readonly Change[] {
  const owners = new Map(before.map(({ scope, owner, token }) => [scope, { owner, token }]));
  const moves = new Map<
    string,
    HandedOver & { readonly partitions: { scope: string; token: number | null }[] }
  >();
  const move = (from: string | null, to: string | null, scope: string, token: number | null): void => {
    const pair = JSON.stringify([from, to]);
    const found = moves.get(pair) ?? { kind: 'handed-over', from, to, partitions: [] };
    found.partitions.push({ scope, token });
    moves.set(pair, found);
  };
  for (const { scope, owner, token } of after) {
    const had = owners.get(scope);
    owners.delete(scope);
    if (had === undefined || had.token !== token) move(had?.owner ?? null, owner, scope, token);
  }
  for (const [scope, { owner }] of owners) move(owner, null, scope, null);
  return [...moves.values()];
}

/** For people. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case 'group-appeared':
      return 'the group is there';
    case 'group-gone':
      return 'the group is gone';
    case 'coordinator-moved':
      return `replica ${change.to ?? '?'} coordinates; it was ${change.from ?? '?'}`;
    case 'member-joined':
      return `${change.memberId} joined from ${change.clientHost}`;
    case 'member-left':
      return `${change.memberId} left`;
    case 'rebalance-started':
      return `rebalance: ${causeText(change.trigger)}`;
    case 'rebalance-ended': {
      const { generation, outcome, totalMs, partitionsMoved, stragglers } = change;
      const facts = [
        totalMs === null ? '' : `after ${duration(totalMs)}`,
        partitionsMoved === null ? '' : `${partitionsMoved} partitions moved`,
        stragglersText(stragglers),
      ].filter((fact) => fact !== '');
      return `generation ${generation} is ${outcome}${facts.map((fact) => `, ${fact}`).join('')}`;
    }
    case 'handed-over':
      return `${scopesText(change.partitions.map(({ scope }) => scope))}: ${change.from ?? 'nobody'} -> ${change.to ?? 'nobody'}`;
  }
}

/** billing/tenants/0, billing/tenants/1 -> tenants[0-1] */
function scopesText(scopes: readonly string[]): string {
  const topics = new Map<string, number[]>();
  for (const scope of scopes) {
    const [, topic = scope, partition] = /^.*\/([^/]*)\/(\d+)$/.exec(scope) ?? [];
    const partitions = topics.get(topic) ?? [];
    if (partition !== undefined) partitions.push(Number(partition));
    topics.set(topic, partitions);
  }
  return [...topics]
    .map(([topic, partitions]) => (partitions.length === 0 ? topic : `${topic}[${ranges(partitions)}]`))
    .join(' ');
}
