import { assert } from '../../kernel/index.js';
import type { RebalanceTrigger } from '../types/history.js';

/**
 * The states of a classic group, by Kafka's names (Kafka: ClassicGroupState). docs/groups.md has the answer to every
 * request in every state. Kafka also has `Dead`, for a group that was deleted while requests still refer to it. Here a
 * deleted group does not exist, and `classic/requests.ts` answers for a group that does not exist.
 */
export type ClassicState =
  /**
   * The group has no members. It may have offsets, and member ids that the coordinator issued (KIP-394).
   * - JoinGroup of a new member waits. All other requests of members get UNKNOWN_MEMBER_ID.
   * - OffsetCommit without a member is accepted. Offsets expire. DeleteGroups is accepted.
   * - Next: PreparingRebalance, when a member joins.
   */
  | 'Empty'
  /**
   * Stop. The group waits for all members to join the next generation.
   * - JoinGroup waits. SyncGroup and Heartbeat get REBALANCE_IN_PROGRESS; the heartbeat renews the session.
   * - OffsetCommit of the current generation is accepted: members record their progress before they stop.
   * - A member that leaves or whose session ends is removed. The barrier may open because of it.
   * - Next: CompletingRebalance, when the barrier opens. Empty, when no member is left.
   */
  | 'PreparingRebalance'
  /**
   * Align. The generation has grown, and the group waits for the assignment of its leader.
   * - JoinGroup with the same protocols gets its answer again. With other protocols it starts the rebalance again.
   * - SyncGroup of a follower waits. SyncGroup of the leader answers all. Heartbeat is accepted.
   * - OffsetCommit gets REBALANCE_IN_PROGRESS.
   * - Next: Stable, when the assignment arrives. PreparingRebalance, when the members or their protocols change.
   */
  | 'CompletingRebalance'
  /**
   * Resume. Every member can fetch its assignment.
   * - JoinGroup of a follower with the same protocols gets the current generation. Any other JoinGroup starts a rebalance.
   * - SyncGroup gets the assignment. Heartbeat and OffsetCommit are accepted.
   * - Next: PreparingRebalance, when the members or their protocols change, or when the leader joins again.
   */
  | 'Stable';

/** Everything that moves a group from one state to another. The first part is what can start a rebalance. */
export type ClassicEvent =
  | RebalanceTrigger['cause']
  /** All members have joined, or the time is over. */
  | 'barrier-opened'
  /** The barrier opened and no member is left. */
  | 'members-gone'
  /** The leader has sent the assignment. */
  | 'assignment-received';

type Transitions = Readonly<Record<ClassicState, Partial<Readonly<Record<ClassicEvent, ClassicState>>>>>;

/** State x event -> next state. Any other pair is a defect and stops the replica. */
export const TRANSITIONS: Transitions = {
  Empty: {
    'member-joined': 'PreparingRebalance',
  },
  PreparingRebalance: {
    'barrier-opened': 'CompletingRebalance',
    'members-gone': 'Empty',
  },
  CompletingRebalance: {
    'assignment-received': 'Stable',
    'member-joined': 'PreparingRebalance',
    'member-left': 'PreparingRebalance',
    'session-expired': 'PreparingRebalance',
    'subscription-changed': 'PreparingRebalance',
    'static-replaced': 'PreparingRebalance',
    'sync-missed': 'PreparingRebalance',
  },
  Stable: {
    'member-joined': 'PreparingRebalance',
    'member-left': 'PreparingRebalance',
    'session-expired': 'PreparingRebalance',
    'subscription-changed': 'PreparingRebalance',
    'leader-rejoined': 'PreparingRebalance',
    'static-replaced': 'PreparingRebalance',
    'sync-missed': 'PreparingRebalance',
  },
};

/** Moves a group along an edge of the table. */
export function enter(group: { readonly id: string; state: ClassicState }, event: ClassicEvent): void {
  const next = TRANSITIONS[group.state][event];
  assert(next !== undefined, `the group ${group.id} is ${group.state}, where "${event}" cannot happen`);
  group.state = next;
}
