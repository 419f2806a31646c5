import { assert } from '../../kernel/index.js';
import type { RebalanceTrigger } from '../types/history.js';
import { abandonAssignment } from './assignment.js';
import { startGeneration } from './generation.js';
import { startRecord } from './history.js';
import { removeMember } from './members.js';
import type { ClassicGroup } from './state.js';
import { enter } from './states.js';
import { armGroupTimer, cancelGroupTimer, rebalanceTimeoutMs } from './timers.js';
import type { Turn } from './turn.js';

/** Stop. Members learn of the rebalance with their next heartbeat and send JoinGroup, which waits at the barrier. */
export function prepareRebalance(turn: Turn, trigger: RebalanceTrigger): void {
  const { group } = turn;
  if (group.state === 'CompletingRebalance') abandonAssignment(turn);
  cancelGroupTimer(turn, 'sync');
  const first = group.state === 'Empty';
  enter(group, trigger.cause);
  startRecord(turn, trigger);
  if (first) return;
  if (allWait(group)) openBarrier(turn);
  else armGroupTimer(turn, 'join', rebalanceTimeoutMs(group));
}

/** A client that holds an issued id is about to join, so the barrier waits for it too. */
const allWait = (group: ClassicGroup): boolean =>
  group.pending.size === 0 && [...group.members.values()].every(({ waiting }) => waiting);

/** A member has reached the barrier. */
export function memberArrived(turn: Turn): void {
  if (turn.group.state !== 'PreparingRebalance') return;
  if (turn.group.initial !== null) awaitMoreJoiners(turn);
  else openBarrierWhenAllWait(turn);
}

/** To be called after every removal: the removed member may have been the last one that was missing. */
export function openBarrierWhenAllWait(turn: Turn): void {
  const { group } = turn;
  if (group.state !== 'PreparingRebalance') return;
  if (group.initial !== null && group.members.size > 0) return;
  if (allWait(group)) openBarrier(turn);
}

/** After members were removed: the others need a new assignment, or an open rebalance may be complete now. */
export function afterRemoval(turn: Turn, trigger: RebalanceTrigger): void {
  const { state } = turn.group;
  if (state === 'Stable' || state === 'CompletingRebalance') prepareRebalance(turn, trigger);
  else openBarrierWhenAllWait(turn);
}

/** The first rebalance lasts until no further member joins. Kafka waits for a fixed time instead. */
function awaitMoreJoiners(turn: Turn): void {
  const { startedAt, quietMs, delayMsMax } = turn.group.initial!;
  const remainingMs = Math.max(0, startedAt + delayMsMax - turn.at);
  armGroupTimer(turn, 'initial', Math.min(quietMs, remainingMs));
}

/** The timer `initial` has passed. */
export function initialTimeIsUp(turn: Turn): void {
  const { initial, pending } = turn.group;
  const { startedAt, delayMsMax } = initial!;
  if (pending.size > 0 && turn.at < startedAt + delayMsMax) return awaitMoreJoiners(turn);
  openBarrier(turn);
}

/** Removes the members that did not join and starts the next generation. Also called when the timer `join` has passed. */
export function openBarrier(turn: Turn): void {
  const { group } = turn;
  assert(group.state === 'PreparingRebalance', 'only a rebalance in preparation completes');
  cancelGroupTimer(turn, 'join');
  cancelGroupTimer(turn, 'initial');
  group.initial = null;
  const missing = [...group.members.values()].filter(
    (member) => !member.waiting && member.instanceId === null,
  );
  for (const member of missing) removeMember(turn, member, 'missed-rebalance');
  const someWait = [...group.members.values()].some(({ waiting }) => waiting);
  if (group.members.size > 0 && !someWait) {
    // Only static members are left and none has joined: as in Kafka, the group waits until their sessions end.
    return armGroupTimer(turn, 'join', rebalanceTimeoutMs(group));
  }
  startGeneration(turn, missing);
}
