import { generation, type WallMs } from '../../kernel/index.js';
import type { RebalanceRecord, RebalanceTrigger } from '../types/history.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import type { Turn } from './turn.js';

/** Starts the record of a rebalance. One that still runs was overtaken. */
export function startRecord(turn: Turn, trigger: RebalanceTrigger): void {
  const { group, at, news } = turn;
  endRecord(turn, { outcome: 'overtaken' });
  const record: RebalanceRecord = {
    trigger,
    generationBefore: group.generation,
    generation: generation(group.generation + 1),
    startedAt: at,
    joinedAt: null,
    stableAt: null,
    outcome: 'running',
    members: group.members.size,
    stragglers: [],
    assignment: [],
    partitionsMoved: null,
  };
  group.history = [...group.history, record].slice(-group.historyMax);
  news.push({ kind: 'rebalance-started', group: group.id, trigger });
}

export function endRecord({ group, news }: Turn, change: Partial<RebalanceRecord>): void {
  const record = amend(group, change);
  if (record !== undefined) news.push({ kind: 'rebalance-ended', group: group.id, record });
}

/** The barrier has opened: who joined, who was removed, and who joined last. */
export function recordJoined({ group, at }: Turn, removed: readonly ClassicMember[]): void {
  const startedAt = group.history.at(-1)?.startedAt ?? at;
  const waited = (since: WallMs | null): number => Math.max(0, (since ?? at) - startedAt);
  let last: ClassicMember | undefined;
  for (const member of group.members.values()) {
    const { waitingSince } = member;
    if (waitingSince !== null && (last === undefined || waitingSince > last.waitingSince!)) last = member;
  }
  const stragglers = removed.map(({ memberId }) => ({ memberId, waitedMs: waited(at), removed: true }));
  if (last !== undefined && waited(last.waitingSince) > 0) {
    stragglers.push({ memberId: last.memberId, waitedMs: waited(last.waitingSince), removed: false });
  }
  amend(group, { joinedAt: at, generation: group.generation, members: group.members.size, stragglers });
}

/** Changes the record that runs, if there is one. */
function amend(group: ClassicGroup, change: Partial<RebalanceRecord>): RebalanceRecord | undefined {
  const last = group.history.at(-1);
  if (last?.outcome !== 'running') return undefined;
  const amended = { ...last, ...change };
  group.history[group.history.length - 1] = amended;
  return amended;
}
