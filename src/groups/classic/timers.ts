import type { MemberId } from '../../kernel/index.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup, GroupTimer } from './state.js';
import type { Turn } from './turn.js';

/** Kafka: CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS. A new member cannot send heartbeats while its first join waits. */
const NEW_MEMBER_TIMEOUT_MS = 300_000;

export const sessionMs = (member: ClassicMember): number =>
  member.isNew ? NEW_MEMBER_TIMEOUT_MS : member.sessionTimeoutMs;

export function armSession({ group, slot, timers }: Turn, member: ClassicMember): void {
  member.sessionToken = slot;
  const timer = { kind: 'session', member: member.memberId } as const;
  timers.push({ kind: 'arm', group: group.id, timer, afterMs: sessionMs(member), token: slot });
}

export function cancelSession({ group, timers }: Turn, member: MemberId): void {
  timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'session', member } });
}

/** For an id that the coordinator issued: it is forgotten unless its client joins with it in time. */
export function armPending({ group, slot, timers }: Turn, member: MemberId, timeoutMs: number): void {
  group.pending.set(member, { timeoutMs, token: slot });
  const timer = { kind: 'pending', member } as const;
  timers.push({ kind: 'arm', group: group.id, timer, afterMs: timeoutMs, token: slot });
}

export function cancelPending({ group, timers }: Turn, member: MemberId): void {
  if (group.pending.delete(member))
    timers.push({ kind: 'cancel', group: group.id, timer: { kind: 'pending', member } });
}

/** In whole milliseconds, as a snapshot keeps them: what is left of a time has a fraction. */
export function armGroupTimer({ group, slot, timers }: Turn, kind: GroupTimer, leftMs: number): void {
  const afterMs = Math.ceil(leftMs);
  group.timers.set(kind, { token: slot, afterMs });
  timers.push({ kind: 'arm', group: group.id, timer: { kind }, afterMs, token: slot });
}

export function cancelGroupTimer({ group, timers }: Turn, kind: GroupTimer): void {
  if (group.timers.delete(kind)) timers.push({ kind: 'cancel', group: group.id, timer: { kind } });
}

/** Kafka: the longest rebalance timeout of any member. */
export function rebalanceTimeoutMs(group: ClassicGroup): number {
  let longest = 0;
  for (const member of group.members.values()) longest = Math.max(longest, member.rebalanceTimeoutMs);
  return longest;
}
