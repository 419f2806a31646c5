import type { GroupId, MemberId } from '../../kernel/index.js';

/** Timers run at the leader of the shard. The state holds which ones are armed. `token` is the slot of the command that armed it. */
export type Timer =
  | { readonly kind: 'session'; readonly member: MemberId }
  /** The coordinator issued a member id (KIP-394), and no client has joined with it yet. */
  | { readonly kind: 'pending'; readonly member: MemberId }
  /** The first rebalance: no member joined in the quiet time, or the maximum time is over. */
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
  /** The group was deleted, with all its timers. */
  | { readonly kind: 'cancel-group'; readonly group: GroupId };
