import { assert, type MemberId } from '../../kernel/index.js';
import type { JoinSettings } from '../types/commands.js';
import type { RebalanceTrigger } from '../types/history.js';
import { abandonAssignment } from './assignment.js';
import { startGeneration } from './generation.js';
import { startRecord } from './history.js';
import { missingMembers, removeMember } from './members.js';
import type { ClassicGroup } from './state.js';
import { enter } from './states.js';
import { armGroupTimer, armPending, cancelGroupTimer, cancelPending, rebalanceTimeoutMs } from './timers.js';
import type { Turn } from './turn.js';

/** Stop. Members learn of the rebalance with their next heartbeat and send JoinGroup, which waits at the barrier. */
export function prepareRebalance(turn: Turn, trigger: RebalanceTrigger): void {
  const { group } = turn;
  if (group.state === 'CompletingRebalance') turn.rest.push(() => abandonAssignment(turn));
  cancelGroupTimer(turn, 'sync');
  const first = group.state === 'Empty';
  enter(group, trigger.cause);
  startRecord(turn, trigger);
  if (first) return;
  if (allWait(group)) openBarrier(turn);
  else armGroupTimer(turn, 'join', rebalanceTimeoutMs(group));
}

/** A client that got an id a moment ago is about to join with it, so the barrier waits for it too, for the quiet time. */
const allWait = ({ members, pending, timers }: ClassicGroup): boolean =>
  members.waiting === members.size && (pending.size === 0 || !timers.has('initial'));

/**
 * Kafka: KIP-394. A client that loses the answer with its id leaves no member behind, only the id. When the group is full
 * of them, the oldest id goes.
 */
export function handOutId(turn: Turn, id: MemberId, timeoutMs: number, settings: JoinSettings): void {
  const { group } = turn;
  armPending(turn, id, timeoutMs);
  if (group.pending.size > settings.groupSizeMax) {
    const [oldest] = group.pending.keys();
    cancelPending(turn, oldest!);
  }
  awaitIds(turn, settings.initialQuietMs);
}

/** The barrier waits for clients that have been given an id, for the quiet time. */
export function awaitIds(turn: Turn, quietMs: number): void {
  const { group } = turn;
  if (group.initial !== null) awaitMoreJoiners(turn);
  else if (group.state !== 'Empty' && !group.timers.has('initial')) armGroupTimer(turn, 'initial', quietMs);
}

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

/** What each client adds to the longest first rebalance, and what all of them may add: thousands need seconds to arrive. */
const ARRIVAL_MS = 2;
const ARRIVALS_MS_MAX = 30_000;

/**
 * The first rebalance lasts until no further member joins, and has an end also for a group that never stops growing. Kafka
 * waits for a fixed time, and again for as long as members join in it.
 */
function awaitMoreJoiners(turn: Turn): void {
  const { members, pending } = turn.group;
  const { startedAt, quietMs, delayMsMax } = turn.group.initial!;
  const arrivalsMs = Math.min(ARRIVALS_MS_MAX, (members.size + pending.size) * ARRIVAL_MS);
  const remainingMs = Math.max(0, startedAt + delayMsMax + arrivalsMs - turn.at);
  armGroupTimer(turn, 'initial', Math.min(quietMs, remainingMs));
}

/** The timer `initial` has passed: nobody has joined or got an id for the quiet time, or enough time went to waiting. */
export function quietTimeIsUp(turn: Turn): void {
  cancelGroupTimer(turn, 'initial');
  if (turn.group.initial !== null) openBarrier(turn);
  else openBarrierWhenAllWait(turn);
}

/** Removes the members that did not join and starts the next generation. Also called when the timer `join` has passed. */
export function openBarrier(turn: Turn): void {
  const { group } = turn;
  assert(group.state === 'PreparingRebalance', 'only a rebalance in preparation completes');
  cancelGroupTimer(turn, 'join');
  cancelGroupTimer(turn, 'initial');
  group.initial = null;
  const missing = [...missingMembers(group, 'join')];
  for (const member of missing) removeMember(turn, member, 'missed-rebalance');
  if (group.members.size > 0 && group.members.waiting === 0) {
    // Only static members are left and none has joined: as in Kafka, the group waits until their sessions end.
    return armGroupTimer(turn, 'join', rebalanceTimeoutMs(group));
  }
  startGeneration(turn, missing);
}
