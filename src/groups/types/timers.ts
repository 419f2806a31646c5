import type { GroupId, MemberId } from '../../kernel/index.js';

/** Timers live with the leader; the state only says which exist. `token` tells one arming from the next. */
export type Timer =
  | { readonly kind: 'session'; readonly member: MemberId }
  /** A member id was handed out (KIP-394) and its holder has not come back yet. */
  | { readonly kind: 'pending'; readonly member: MemberId }
  /** The first rebalance: no joiner for the quiet time, or the longest wait is over. */
  | { readonly kind: 'initial' }
  | { readonly kind: 'join' }
  | { readonly kind: 'sync' };
export type TimerChange =
  | {
      readonly kind: 'arm';
      readonly group: GroupId;
      readonly timer: Timer;
      readonly afterMs: number;
      readonly token: number;
    }
  | { readonly kind: 'cancel'; readonly group: GroupId; readonly timer: Timer }
  /** The group is gone, with all its timers. */
  | { readonly kind: 'cancel-group'; readonly group: GroupId };
